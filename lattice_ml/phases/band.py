"""A travelling band: its profile, its speed, its width, and two relations that they obey.

- Continuity. A profile that travels at speed c without changing its shape has d_x (v m - D d_x rho - c rho) = 0 with
  v = 2 D eps, so that between the plateaus of liquid and gas

      c = v (m_h - m_l) / (rho_h - rho_l).

- The lever rule. Particles are conserved, so that a band fills the share

      f = (rho0 - rho_l) / (rho_h - rho_l).

  Its width is taken from the magnetisation here, whose steps know nothing of the densities.

Profiles are means over y, ``[..., x]``, in particles per site; positions and widths in sites; time in 1/gamma.

Source: Solon & Tailleur, PRE 92, 042119 (2015), Sec. VI.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float, Integer

from lattice_ml.phases.plateaus import centre, centred, cores, fit_steps
from lattice_ml.systems.channels import channels_of

if TYPE_CHECKING:
    from lattice_ml.systems.base import System


class Travelling(NamedTuple):
    """Bands of one temperature, one entry for each replica: speed along the drift, and the plateaus behind the
    continuity relation, nan where no band is wide enough."""

    speed: Float[np.ndarray, " replica"]
    low: Float[np.ndarray, " replica"]
    high: Float[np.ndarray, " replica"]
    m_low: Float[np.ndarray, " replica"]
    m_high: Float[np.ndarray, " replica"]

    def predicted(self, drift: float) -> Float[np.ndarray, " replica"]:
        """v (m_h - m_l) / (rho_h - rho_l), v = ``drift``."""
        return drift * (self.m_high - self.m_low) / (self.high - self.low)


def channel_profiles(system: System, states: Integer[np.ndarray, "*batch species x y"]) -> dict[str, np.ndarray]:
    """Channel -> its profile along x, float64 ``[..., x]``."""
    fields = channels_of(system, states).numpy().mean(axis=-1, dtype=np.float64)
    return {name: fields[..., number, :] for number, name in enumerate(system.channels)}


def along_drift(
    density: Float[np.ndarray, "*batch x"], magnetisation: Float[np.ndarray, "*batch x"]
) -> tuple[Float[np.ndarray, "*batch x"], Float[np.ndarray, "*batch x"]]:
    """Bands that move to the left as their mirror images: m(x) -> -m(-x), rho(x) -> rho(-x) where sum_x m < 0."""
    left = magnetisation.sum(axis=-1, keepdims=True) < 0
    return np.where(left, density[..., ::-1], density), np.where(left, -magnetisation[..., ::-1], magnetisation)


def mean_profile(
    density: Float[np.ndarray, "n x"], magnetisation: Float[np.ndarray, "n x"]
) -> tuple[Float[np.ndarray, "2 x"], Float[np.ndarray, "2 x"]]:
    """Density and magnetisation of bands laid over each other, moving to the right, and their standard errors."""
    pairs = [np.stack(pair) for pair in zip(*along_drift(density, magnetisation), strict=True)]
    laid = np.stack([centred(pair, float(centre(pair[0]))) for pair in pairs])
    spread = laid.std(axis=0, ddof=1) / np.sqrt(len(laid)) if len(laid) > 1 else np.full(laid.shape[1:], np.nan)
    return laid.mean(axis=0), spread


def speed(positions: Float[np.ndarray, " time"], times: Float[np.ndarray, " time"], length: int) -> float:
    """Sites per unit of time: the slope of the unwrapped positions on a torus of ``length`` sites.

    Between two read-outs the band must move by less than half the torus.
    """
    unwrapped = np.unwrap(positions, period=length)
    return float(np.polyfit(times, unwrapped, 1)[0])


def travel(
    density: Float[np.ndarray, "replica time x"],
    magnetisation: Float[np.ndarray, "replica time x"],
    times: Float[np.ndarray, " time"],
) -> Travelling:
    """The speed and the plateaus of the bands of one temperature, from read-outs close in time."""
    density, magnetisation = along_drift(density, magnetisation)
    rows = []
    for rho, m in zip(density, magnetisation, strict=True):
        values = [
            (rho[t][gas].mean(), rho[t][liquid].mean(), m[t][gas].mean(), m[t][liquid].mean())
            for t in range(len(times))
            if (found := cores(rho[t])) is not None
            for gas, liquid in [found]
        ]
        plateaus = np.mean(values, axis=0) if values else np.full(4, np.nan)
        rows.append([speed(centre(rho), times, rho.shape[-1]), *plateaus])
    return Travelling(*np.array(rows).T)


def band_share(magnetisation: Float[np.ndarray, " x"]) -> float | None:
    """Share of the torus between the two steps of the magnetisation of a band, of either sign; None without a band."""
    fit = fit_steps(magnetisation * np.sign(magnetisation.sum()))
    return fit.width / len(magnetisation) if fit else None


def lever_rule(rho0: float, low: float, high: float) -> float:
    """f = (rho0 - rho_l) / (rho_h - rho_l)."""
    return (rho0 - low) / (high - low)


def mean_and_error(values: np.ndarray) -> dict[str, Any]:
    """Mean over replicas and its standard error, as plain numbers; None where nothing is known."""
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    error = float(known.std(ddof=1) / np.sqrt(len(known))) if len(known) > 1 else None
    return {"value": float(known.mean()) if len(known) else None, "error": error, "n": len(known)}
