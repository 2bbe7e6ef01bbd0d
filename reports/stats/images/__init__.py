"""The chance of which test images there are: test sets resampled (bootstrap.py), and what is taken of them, exactly
(statistics.py) or to first order (first_order.py)."""
