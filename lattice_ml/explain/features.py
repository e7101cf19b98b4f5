"""The feature table: numbers with a physical name for every configuration, of any system, for models that can be read.

Of each channel a(x, y), ``[x, y]`` with N = Lx Ly sites, <.> the mean over sites, the columns
``<channel>.<statistic>``:

- ``mean`` <a> and ``abs_mean`` |<a>|; ``variance`` <a²> - <a>²;
- ``binder`` 1 - <a⁴> / (3 <a²>²), over the sites of the one configuration: 2/3 where |a| is the same everywhere, 0
  for a Gaussian, negative where few sites hold most of a. (Binder's own ratio takes moments of <a> over
  configurations: Z. Phys. B 43, 119 (1981); of a single one there are none.);
- ``S_x1``, ``S_x2``, ``S_y1``, ``S_y2``: the structure factor S(k) = |sum_r a(r) exp(-i k r)|² / N at the lowest modes
  k = 2 pi j / L along each axis, j = 1, 2. Where L < 2 j + 1 the mode is that of j modulo L;
- ``neighbours_x``, ``neighbours_y``: (<a(r) a(r + e)> - <a>²) / variance, the correlation of nearest neighbours; 0
  where a is constant;
- ``band_x_variance``, ``band_x_skewness``, ``band_x_kurtosis`` and the same along y: second central moment, and third
  and fourth in units of it (3 for a Gaussian), of the profile p(x) = mean over y of a: how strong a band across the
  torus is, whether it is narrow and high, or a narrow gap. 0 for the last two where p is constant.

Then the system's own ``observables``, and its ``statistics`` where it names any: of links and plaquettes for fluxes.

All but two are unchanged by translations of the torus. None needs to know the control parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float64

if TYPE_CHECKING:
    import xarray as xr

    from lattice_ml.systems.base import Point, System

MODES = (1, 2)
SAME = 1 - 1e-9
"""Rank correlation from which two columns order the configurations alike: a tree cannot tell them apart."""


@dataclass(frozen=True)
class Features:
    """names ``[feature]``; values float64 ``[n, feature]``, in powers of the channel's unit (particles per site, spins,
    fluxes) as the module's docstring states; n runs over (point, replica, sample), sample fastest."""

    names: tuple[str, ...]
    values: Float64[np.ndarray, "n feature"]

    def select(self, names: Iterable[str]) -> Features:
        """The columns of these names, in this order."""
        wanted = tuple(names)
        return Features(wanted, self.values[:, [self.names.index(name) for name in wanted]])

    def rows(self, chosen: np.ndarray) -> Features:
        """Some of the configurations."""
        return Features(self.names, self.values[chosen])


def features(system: System, states: np.ndarray, point: Point | None = None) -> Features:
    """The table of integer states ``[n, species, x, y]``; ``point`` is given on to the system's observables.

    Observables come first, so that of two columns that say the same the one with the physical name is kept.
    """
    from lattice_ml.systems.channels import channels_of

    flat = states.reshape(-1, *states.shape[-3:])
    channels = channels_of(system, flat).numpy().astype(np.float64)
    table = dict(system.observables(flat, point)) | dict(system.statistics(flat))
    for number, channel in enumerate(system.channels):
        table |= {f"{channel}.{name}": values for name, values in field_statistics(channels[:, number]).items()}
    return Features(tuple(table), np.stack([np.asarray(values, dtype=np.float64) for values in table.values()], axis=1))


def field_statistics(a: Float[np.ndarray, "n x y"]) -> dict[str, Float[np.ndarray, " n"]]:
    """The statistics of one channel, by name; see the module's docstring."""
    mean, square = a.mean(axis=(1, 2)), (a * a).mean(axis=(1, 2))
    variance = np.maximum(square - mean**2, 0)
    fluctuates = variance > 1e-12 * np.maximum(square, 1e-300)
    fourth = (a**4).mean(axis=(1, 2))
    binder = 1 - np.divide(fourth, 3 * square**2, out=np.full_like(mean, 1 / 3), where=square > 0)
    table = {"mean": mean, "abs_mean": np.abs(mean), "variance": variance, "binder": binder}
    for axis, name in ((1, "x"), (2, "y")):
        profile = a.mean(axis=3 - axis)
        power = np.abs(np.fft.fft(profile, axis=1)) ** 2 * a.shape[1] * a.shape[2] / profile.shape[1] ** 2
        table |= {f"S_{name}{mode}": power[:, mode % profile.shape[1]] for mode in MODES}
        neighbours = (a * np.roll(a, -1, axis)).mean(axis=(1, 2)) - mean**2
        table[f"neighbours_{name}"] = _ratio(neighbours, variance, fluctuates)
        centred = profile - profile.mean(axis=1, keepdims=True)
        second, third, fourth = ((centred**power).mean(axis=1) for power in (2, 3, 4))
        wavy = second > 1e-12 * np.maximum(square, 1e-300)
        table[f"band_{name}_variance"] = second
        table[f"band_{name}_skewness"] = _ratio(third, second**1.5, wavy)
        table[f"band_{name}_kurtosis"] = _ratio(fourth, second**2, wavy)
    return table


def ensemble_features(ensemble: xr.Dataset, system: System, points: Sequence[Point]) -> Features:
    """The table of a whole ensemble, read point by point."""
    configurations = ensemble["configurations"].transpose("point", "replica", "sample", "species", "x", "y")
    parts = [features(system, one.to_numpy(), point) for one, point in zip(configurations, points, strict=True)]
    return Features(parts[0].names, np.concatenate([part.values for part in parts]))


def distinct(
    table: Features, leave_out: Mapping[str, Float[np.ndarray, " n"]] | None = None
) -> tuple[list[str], dict[str, str]]:
    """The columns worth a model's while, and why each of the others is not.

    Left out are constants, columns that order the configurations like one before (their importance would be shared
    between them), and those that order them like a column of ``leave_out``: the answer itself. Ranks, not values,
    since |m| and |m|² ask the same of a tree. Found on the training table; other tables ``select`` what is kept.
    """
    from scipy.stats import rankdata

    def ranks(values: np.ndarray) -> np.ndarray:
        ranked = rankdata(values)
        spread = ranked.std()
        return (ranked - ranked.mean()) / spread if spread > 0 else np.zeros_like(ranked)

    known = [(f"it is the answer, {name}", ranks(values)) for name, values in (leave_out or {}).items()]
    kept, reasons = [], {}
    for name, values in zip(table.names, table.values.T, strict=True):
        own = ranks(values)
        if np.ptp(values) <= 1e-12 * max(float(np.abs(values).max()), 1e-300):
            reasons[name] = "it is constant"
            continue
        same = next((why for why, other in known if abs(float(np.mean(own * other))) > SAME), None)
        if same is not None:
            reasons[name] = same
            continue
        kept.append(name)
        known.append((f"it orders configurations as {name} does", own))
    return kept, reasons


def _ratio(above: np.ndarray, below: np.ndarray, where: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.zeros_like(above), where=where)
