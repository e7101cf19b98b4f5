"""Which few numbers say what a configuration is? Autoencoders, encoders that answer queries, the pendulum."""

from lattice_ml.workflows.latents.pendulum import Pendulum
from lattice_ml.workflows.latents.queries import Queries
from lattice_ml.workflows.latents.workflow import Latents

__all__ = ["Latents", "Pendulum", "Queries"]
