"""A p-value inside a sentence: verdicts, plans, scrutiny. Tables format theirs in the render room."""

from __future__ import annotations

ALPHAS = (0.01, 0.025, 0.05)


def p_text(value: float) -> str:
    """``0.215`` or ``<0.001``; more decimals where three would show a usual alpha that it is not (``0.04996``)."""
    if value < 0.001:
        return "<0.001"
    others = [a for a in ALPHAS if a != value]
    places = next((d for d in range(3, 16) if round(value, d) not in others), 16)
    return f"{value:.{places}f}"
