"""From a request to fully resolved runs: specs, recipes, suites, grids and the paths behind names. Torch-free."""
