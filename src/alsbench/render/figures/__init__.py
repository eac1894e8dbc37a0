"""Figures of results as SVG drawings inside an HTML page: LS means by visit, survival as steps, forest plots.

Arms are told apart by marker and dash, never by colour alone; what could not be estimated is a gap; nothing is loaded from
anywhere. The table beside a figure has every number that is drawn.
"""

from __future__ import annotations

from alsbench.render.figures.by_visit import visit_figures
from alsbench.render.figures.forest import forest_figures
from alsbench.render.figures.survival import survival_figures

__all__ = ["forest_figures", "survival_figures", "visit_figures"]
