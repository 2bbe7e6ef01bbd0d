"""The palette: a method keeps its style, and no two can be taken for each other, by the colour-blind neither."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from methods.registry import METHODS as REGISTRY
from reports.figures.palette import METHODS, SPARE, Style, styles

# What dichromats see of linear RGB (Machado, Oliveira, Fernandes 2009, severity 1).
VISION = {
    "normal": np.eye(3),
    "protan": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                        [-0.003882, -0.048116, 1.051998]]),
    "deutan": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                        [-0.011820, 0.042940, 0.968881]]),
}  # fmt: skip
ENOUGH = 15  # a distance in CIELAB that is seen at once; 2.3 is just noticeable


def lab(color: str, vision: str) -> np.ndarray:
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(VISION[vision] @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ seen / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def distance(a: Style, b: Style, vision: str) -> float:
    return float(np.linalg.norm(lab(a.color, vision) - lab(b.color, vision)))


def test_every_method_has_a_style_of_its_own() -> None:
    ours = {name for name, entry in REGISTRY.items() if isinstance(entry.target, str)}  # other tests add plug-ins
    assert set(METHODS) == ours
    colors = [style.color for style in METHODS.values()]
    assert len(set(colors)) == len(colors) and not set(colors) & set(SPARE)


@pytest.mark.parametrize("vision", VISION)
def test_no_two_methods_look_alike(vision: str) -> None:
    alike = [
        (a, b)
        for a, b in combinations(METHODS, 2)
        if METHODS[a].dash == METHODS[b].dash and distance(METHODS[a], METHODS[b], vision) < ENOUGH
    ]
    assert alike == []


def test_a_style_does_not_depend_on_who_else_is_there() -> None:
    few, many = styles(["rul", "scn"]), styles([*METHODS, "my_method", "another"])
    assert all(few[name] == many[name] == METHODS[name] for name in few)
    assert styles(["b", "a"]) == styles(["a", "b", "a"])


def test_arms_of_a_method_share_its_colour_and_no_line() -> None:
    names = ["rul", "rul (partner=any)", "rul (relabel.enabled=true)", *(f"rul (x={number})" for number in range(9))]
    found = styles(names)
    assert {style.color for style in found.values()} == {METHODS["rul"].color}
    assert len({str(style.dash) for style in found.values()}) == len(names)


def test_plug_ins_beyond_the_spare_colours_still_differ() -> None:
    found = styles([f"plugin_{number:03d}" for number in range(75)])
    assert len({(style.color, str(style.dash)) for style in found.values()}) == 75
    assert not {style.color for style in found.values()} & {style.color for style in METHODS.values()}
