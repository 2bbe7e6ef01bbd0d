"""Numbers from stored predictions: accuracy, ranking, calibration, label errors. No torch."""
