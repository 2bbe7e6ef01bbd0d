"""A method of the suite in a training loop of your own. From the checkout: PYTHONPATH=. python docs/examples/own_loop.py"""

import torch

import methods

images, labels, index = torch.randn(64, 3, 32, 32), torch.arange(64) % 7, torch.arange(64)

method = methods.create("rul", num_classes=7, backbone="resnet18", image_size=32)
optimizer = torch.optim.Adam(method.parameters(), lr=2e-4)
for epoch in range(2):
    step = method.training_step(methods.Batch(images, labels, index), methods.Clock(epoch, 0, 2, 1))
    optimizer.zero_grad()
    step.loss.backward()
    optimizer.step()
prediction = method.eval().predict(images)
print(prediction.logits.shape, prediction.uncertainty.shape)
