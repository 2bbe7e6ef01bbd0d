"""What drawn faces look like: expressions as displacements of a neutral face, and everything that varies besides."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray

EXPRESSIONS = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")  # RAF-DB's order

# Parameter: (neutral, spread of an individual expression, displacement by surprise, fear, disgust, happiness, sadness,
# anger). The displacements follow the facial action units of the six expressions (Ekman and Friesen 1978): inner and
# outer brow raiser, brow lowerer, lid raiser and tightener, cheek raiser, nose wrinkler, lip corner puller and
# depressor, lip stretcher and presser, jaw drop. Neutral is the zero displacement.
_ACTIONS: dict[str, tuple[float, ...]] = {
    #               neutral spread surpr.  fear  disg.  happy    sad  anger
    "brow_y":       (0.225, 0.022, 0.120, 0.075, -0.050, 0.010, 0.015, -0.075),
    "brow_slant":   (0.000, 0.022, 0.000, 0.055, -0.035, 0.000, 0.085, -0.080),
    "brow_curve":   (0.045, 0.018, 0.060, -0.030, -0.020, 0.015, -0.030, -0.035),
    "brow_x":       (0.300, 0.012, 0.000, -0.035, -0.020, 0.000, -0.030, -0.045),
    "furrow":       (0.050, 0.080, 0.000, 0.250, 0.300, 0.000, 0.250, 0.650),
    "eye_open":     (0.078, 0.012, 0.055, 0.050, -0.030, -0.018, -0.025, 0.006),
    "lid_low":      (0.052, 0.008, 0.020, 0.012, -0.024, -0.026, 0.000, -0.014),
    "pouch":        (0.150, 0.100, -0.10, 0.050, 0.350, 0.450, 0.100, 0.100),
    "wrinkle":      (0.020, 0.060, 0.000, 0.000, 0.650, 0.050, 0.000, 0.200),
    "fold":         (0.150, 0.100, -0.10, 0.050, 0.400, 0.550, 0.100, 0.150),
    "mouth_w":      (0.250, 0.018, -0.070, 0.040, -0.010, 0.085, -0.020, -0.015),
    "mouth_curve":  (0.000, 0.018, -0.010, -0.045, -0.055, 0.120, -0.080, -0.045),
    "mouth_y":      (0.520, 0.015, 0.010, 0.005, -0.045, -0.020, 0.010, 0.000),
    "upper_open":   (0.005, 0.010, 0.075, 0.035, 0.040, 0.025, 0.000, 0.012),
    "lower_open":   (0.008, 0.016, 0.170, 0.085, 0.015, 0.090, 0.000, 0.020),
    "upper_lip":    (0.045, 0.008, 0.000, -0.005, 0.012, -0.012, -0.005, -0.025),
    "lower_lip":    (0.060, 0.010, 0.000, -0.005, 0.000, -0.010, 0.015, -0.030),
    "teeth":        (0.050, 0.080, 0.050, 0.250, 0.450, 0.550, 0.000, 0.300),
    "jaw":          (0.000, 0.050, 0.900, 0.400, 0.000, 0.250, 0.000, 0.050),
}  # fmt: skip

INTENSITY = (0.55, 1.15)  # of an expression: the displacement's factor, uniform
SPREAD = 1.45  # factor on the spread of individual expressions: the data set's difficulty

# Identity, pose, light and camera: (low, high), uniform.
_VARIATION: dict[str, tuple[float, float]] = {
    "shift_x": (-0.09, 0.09), "shift_y": (-0.16, 0.02), "scale": (1.02, 1.24), "turn": (-0.18, 0.18),
    "shear": (-0.10, 0.10), "face_w": (0.62, 0.78), "face_h": (0.86, 1.00), "taper": (0.10, 0.45),
    "skin": (0.42, 0.86), "shading": (0.05, 0.35), "hair": (0.04, 0.50), "hair_w": (1.02, 1.22),
    "hair_length": (-0.3, 1.1), "hairline": (0.52, 0.82), "fringe": (-0.2, 0.7), "parting": (-0.3, 0.3),
    "clothes": (0.1, 0.9), "beard_top": (0.2, 0.6), "eye_x": (0.27, 0.34), "eye_y": (-0.16, -0.04),
    "eye_w": (0.125, 0.165), "eye_slant": (-1.0, 1.0), "eye_tilt": (-0.02, 0.02), "eye_uneven": (-0.15, 0.15),
    "eye_white": (0.70, 0.95), "iris": (0.050, 0.070), "iris_tone": (0.03, 0.30), "gaze_x": (-0.05, 0.05),
    "gaze_y": (-0.02, 0.02), "pouch_gap": (0.03, 0.06), "brow_w": (0.16, 0.22), "brow_thick": (0.018, 0.045),
    "brow_dark": (0.55, 1.0), "brow_uneven": (-0.025, 0.025), "nose_y": (0.20, 0.30), "nose_w": (0.07, 0.12),
    "mouth_x": (-0.03, 0.03), "mouth_uneven": (-0.025, 0.025), "lip_tone": (0.55, 0.90), "tooth_tone": (0.75, 0.98),
    "light_u": (-0.30, 0.30), "light_v": (-0.25, 0.15), "ramp_x": (-0.25, 0.25), "ramp_y": (-0.25, 0.25),
    "backdrop": (0.05, 0.95), "backdrop_x": (-0.2, 0.2), "backdrop_y": (-0.2, 0.2), "blur": (0.0, 0.9),
    "contrast": (0.75, 1.2), "brightness": (0.38, 0.60), "noise": (0.01, 0.04),
}  # fmt: skip
_BEARDS, _GLASSES = 0.15, 0.15  # shares of faces


def sample(weights: Array, rng: np.random.Generator) -> dict[str, Array]:
    """Parameters [N] float32 of N faces that show the expressions `weights` [N, 7] (rows sum to 1) in these shares."""
    import numpy as np

    count = len(weights)
    table = np.array(list(_ACTIONS.values()))  # [parameters, neutral | spread | six displacements]
    intensity = rng.uniform(*INTENSITY, size=(count, 1))
    moved = intensity * (weights[:, :6] @ table[:, 2:].T)
    spread = SPREAD * table[:, 1] * rng.standard_normal((count, len(table)))
    values = table[:, 0] + moved + spread
    parameters = dict(zip(_ACTIONS, values.T, strict=True))
    for name, (low, high) in _VARIATION.items():
        parameters[name] = rng.uniform(low, high, size=count)
    parameters["beard"] = rng.uniform(0.2, 0.7, size=count) * (rng.random(count) < _BEARDS)
    parameters["glasses"] = rng.uniform(0.5, 1.0, size=count) * (rng.random(count) < _GLASSES)
    for name in ("furrow", "pouch", "wrinkle", "fold", "jaw"):
        parameters[name] = np.clip(parameters[name], 0, 1)
    for name, least in (("eye_open", 0.012), ("lid_low", 0.008), ("upper_open", 0), ("lower_open", 0), ("teeth", 0)):
        parameters[name] = np.maximum(parameters[name], least)
    for name in ("upper_lip", "lower_lip"):
        parameters[name] = np.maximum(parameters[name], 0.008)
    # The lower lip, the jaw and the nose's distance from the mouth move with the face's length.
    parameters["mouth_y"] = parameters["mouth_y"] + 0.6 * (parameters["nose_y"] - 0.25)
    return {name: np.ascontiguousarray(values, dtype=np.float32) for name, values in parameters.items()}
