import pytest
import torch

import methods


@pytest.fixture(autouse=True)
def _one_thread_and_a_seed():
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture
def make_batch():
    """(B, K, ...) -> a training batch of random images with labels 0, 1, ..., K-1, 0, ..."""

    def make(size=6, classes=4, image_size=16, channels=1, labels=None, dtype=torch.float32):
        labels = torch.arange(size) % classes if labels is None else torch.as_tensor(labels)
        images = torch.randn(len(labels), channels, image_size, image_size, dtype=dtype)
        return methods.Batch(images, labels, torch.arange(len(labels)))

    return make


@pytest.fixture
def clock():
    return methods.Clock(epoch=0, step=0, epochs=70, steps_per_epoch=10)
