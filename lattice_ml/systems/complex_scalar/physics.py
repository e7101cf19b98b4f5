"""The complex scalar field at finite density: parameters, flux variables, observables.

The field theory on a torus of N_t × N_x sites (two dimensions, lattice constant 1, m^2 = eta - 4) with the action

    S = sum_x [eta |phi_x|^2 + lambda |phi_x|^4
               - sum_nu (e^(mu delta_nu,t) phi*_x phi_x+nu + e^(-mu delta_nu,t) phi*_x phi_x-nu)]

is complex at mu != 0. Expanded in hops and integrated over the field it becomes a sum over integers on links,
k in Z and l >= 0, with positive weights:

    Z = sum over k, l of prod_links e^(mu k delta_nu,t) / ((|k| + l)! l!) prod_x delta(d_x) 2 pi W(f_x),
    d_x = sum_nu (k_x,nu - k_x-nu,nu),
    f_x = sum_nu (|k_x,nu| + |k_x-nu,nu| + 2 (l_x,nu + l_x-nu,nu)),

W as in ``weights``. The flux k is conserved at every site but the ends of open worms, which stand for a pair of field
and conjugate field there. Units: lattice constant 1.

Sources: C. Gattringer & T. Kloiber, Nucl. Phys. B 869, 56 (2013), arXiv:1206.2954; the tasks and the couplings,
S. Bulusu, M. Favoni, A. Ipp, D. I. Müller & D. Schuh, Phys. Rev. D 104, 074504 (2021), arXiv:2103.14686.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lattice_ml.ground.errors import UserError
from lattice_ml.systems.base import Point, System
from lattice_ml.systems.complex_scalar.fluxes import K_T, L_T, SPACE, TIME, divergence, site_sums
from lattice_ml.systems.complex_scalar.statistics import link_statistics
from lattice_ml.systems.complex_scalar.weights import MOST, largest_f, log_weights

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class ComplexScalar(System):
    """The rules of the model on one torus.

    extents: sites (N_t, N_x) along time and space, at least 2 each: 60x4 is (60, 4). lam: lambda >= 0.
    A state is int16 ``[..., species, x, y]`` with species (k_t, k_x, l_t, l_x): the links that leave site (t, x) for
    (t + 1, x) and (t, x + 1). A point is {"eta", "mu"} and, if any, "worms", the number of open worms.
    Raises ``UserError`` on anything else.
    """

    extents: tuple[int, int]
    lam: float = 1.0

    name = "complex_scalar"
    species = ("k_t", "k_x", "l_t", "l_x")
    likelihood = ("logistic", "logistic", "poisson", "poisson")
    control = "mu"
    time_unit = "updates"
    dtype = "int16"
    watched = ("n", "phi2")
    starts = ("cold", "hot", "hot_and_cold")

    def __post_init__(self) -> None:
        extents = tuple(self.extents)
        if len(extents) != 2 or not all(isinstance(n, int) and not isinstance(n, bool) and n >= 2 for n in extents):
            raise UserError(
                f"extents = {list(extents)} is not a torus: give two whole numbers of at least 2, time first, "
                "e.g. ensemble.extents=[60,4]."
            )
        if isinstance(self.lam, bool) or not isinstance(self.lam, int | float) or not 0 <= self.lam < np.inf:
            raise UserError(f"lam = {self.lam!r} is no coupling: give system.lam >= 0, e.g. 1.0.")
        object.__setattr__(self, "extents", extents)
        object.__setattr__(self, "lam", float(self.lam))

    def validate(self, point: Point) -> None:
        """Raise ``UserError`` unless the point has eta, mu, perhaps worms, a finite partition sum and small fluxes."""
        if not {"eta", "mu"} <= set(point) <= {"eta", "mu", "worms"}:
            raise UserError(
                "a point of the complex scalar field is given by eta, mu and perhaps worms, not by "
                f"{', '.join(sorted(point))}."
            )
        eta, mu, worms = point["eta"], point["mu"], point.get("worms", 0)
        if not np.isfinite([eta, mu]).all():
            raise UserError(f"eta = {eta:g}, mu = {mu:g} are no couplings: give finite numbers, e.g. eta=4.01, mu=1.0.")
        with np.errstate(over="ignore"):
            least = 2 + 2 * np.cosh(mu)
        if self.lam == 0 and eta <= least:
            raise UserError(
                f"without lambda the field at mu = {mu:g} is stable only for eta > {least:g}: give a larger eta "
                "or system.lam > 0."
            )
        if self.lam > 0 and (abs(mu) > 20 or largest_f(eta, mu, self.lam) == MOST):
            raise UserError(
                f"at eta = {eta:g}, mu = {mu:g}, lambda = {self.lam:g} fluxes outgrow the samplers' tables: give a "
                "smaller |mu| or a larger eta or lambda."
            )
        if worms != round(worms) or not 0 <= 2 * worms <= self.volume:
            raise UserError(
                f"worms = {worms:g} will not do on {self.volume} sites: give a whole number from 0 to "
                f"{self.volume // 2}."
            )

    def work(self, point: Point) -> float:
        """Links of the torus: an elementary update takes about as many link steps, a unit of time several of them."""
        return 2.0 * self.volume

    def point_key(self, point: Point) -> int:
        """A uint32 that names this point of this system in the random streams.

        The same numbers give the same key, in whichever ensemble the point appears. ``worms`` is one of them, so that
        each number of open worms has configurations of its own.
        """
        sizes = f"{self.extents[0]}x{self.extents[1]}"
        couplings = f"lambda={self.lam:.10g} eta={point['eta']:.10g} mu={point['mu']:.10g}"
        return zlib.crc32(f"{self.name} {sizes} {couplings} worms={round(point.get('worms', 0))}".encode())

    def check(self, states: np.ndarray, point: Point) -> None:
        """Raise ``RuntimeError`` unless l >= 0 and half the sum of |d_x| is the number of open worms everywhere."""
        worms = round(point.get("worms", 0))
        if states[..., L_T:, :, :].min(initial=0) < 0:
            raise RuntimeError(f"a link holds l < 0 at {dict(point)}")
        violations = np.abs(divergence(states)).sum(axis=(TIME, SPACE))
        if np.any(violations != 2 * worms):
            worst = violations.flat[np.argmax(np.abs(violations - 2 * worms))]
            raise RuntimeError(f"flux is broken by {worst / 2:g} open worms instead of {worms} at {dict(point)}")

    def observables(self, states: np.ndarray, point: Point | None = None) -> dict[str, np.ndarray]:
        """Observables of states ``[..., species, x, y]``, each float64 ``[...]``.

        - ``n``: sum_x k_x,t / N, the particle density; ``Q``: the flux through a time slice, mean over slices, which
          for closed configurations is the winding number;
        - ``violations``: sum_x |d_x| / 2, the number of open worms;
        - ``phi2``: sum_x W(f_x + 2) / W(f_x) / N, the estimator of |phi|^2, only with a ``point``.
        """
        total = states[..., K_T, :, :].sum(axis=(TIME, SPACE), dtype=np.int64)
        result = {
            "n": total / self.volume,
            "Q": total / self.extents[0],
            "violations": np.abs(divergence(states)).sum(axis=(TIME, SPACE)) / 2,
        }
        if point is not None:
            f = site_sums(states)
            enough = 1 << (int(f.max(initial=0)) + 2).bit_length()  # few sizes, so that tables are found again
            log_w = log_weights(point["eta"], self.lam, max(enough, 64))
            result["phi2"] = np.exp(log_w[2:] - log_w[:-2])[f].mean(axis=(TIME, SPACE))
        return result

    def statistics(self, states: np.ndarray) -> dict[str, np.ndarray]:
        """How links, sites and plaquettes are filled: see ``statistics.link_statistics``."""
        return link_statistics(states)

    def symmetries(self, fields: np.ndarray) -> list[np.ndarray]:
        """The links ``[..., channel, t, x]`` reflected in space, x -> -x, which leaves every weight as it is.

        Links in time stay links of their site; those in space turn round and begin at their other end: k_x changes its
        sign, and both k_x and l_x move by a site.
        """
        image = fields[..., ::-1].copy()
        image[..., (1, 3), :, :] = np.roll(image[..., (1, 3), :, :], -1, axis=-1)
        image[..., 1, :, :] *= -1
        return [image]
