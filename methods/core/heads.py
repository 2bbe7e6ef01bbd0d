"""What sits between the backbone and the last linear layer."""

from __future__ import annotations

from torch import Tensor, nn

from methods.core.backbones import BatchNorm1d, BatchNorm2d

EPS = 2e-5  # of both batch normalisations: released code of RUL


class Branch(nn.Sequential):
    """BatchNorm2d - Dropout - Flatten - Linear - BatchNorm1d: features [B, C, H, W] -> [B, D] (paper 4.2).

    The first normalisation has no affine part, as in the released code. The order is the paper's: dropout before the
    one large layer.
    """

    def __init__(self, feature_shape: tuple[int, int, int], dimension: int = 64, dropout: float = 0.4) -> None:
        channels, height, width = feature_shape
        super().__init__(
            BatchNorm2d(channels, eps=EPS, affine=False),
            nn.Dropout(dropout),
            nn.Flatten(),
            nn.Linear(channels * height * width, dimension),
            BatchNorm1d(dimension, eps=EPS),
        )


class Pool(nn.Module):
    """Average pool, of the whole map or of its first `window` rows and columns, and dropout: [B, C, H, W] -> [B, C]."""

    def __init__(self, dropout: float = 0.0, window: int | None = None) -> None:
        super().__init__()
        self.window = window
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor) -> Tensor:
        """Features [B, C, H, W] -> [B, C]."""
        return self.dropout(features[:, :, : self.window, : self.window].mean(dim=(2, 3)))
