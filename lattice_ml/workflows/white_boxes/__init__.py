"""How much do models know that can be read?"""

from lattice_ml.workflows.white_boxes.workflow import WhiteBoxes

__all__ = ["WhiteBoxes"]
