"""Comparisons and what may be said of them. From the runs of a table to an outcome:

    model = fit(Observed(arm, cell, (dataset, seed), 100 * accuracy) for ...)          # effects.py, model.py
    images = image_draws({(arm, cell, (dataset, seed)): Judged(correct, uncertainty), ...}, Accuracy())
    model = model.with_images(*images_part(model.points, [images, ...]))               # images/: one a data set
    tukey(model, cell)["rul", "scn"], dunnett(model, cell, "baseline"), marks(model, cell)      # intervals.py
    rule(effect, seeds, sign=1, margin=1.0).outcome, agreement(model, "rul", "scn")    # outcome.py
    model.effect({("rul", cell): 1.0, ("scn", cell): -1.0, ...})                       # any linear combination
    equivalence(model.mean("rul", cell, images=False), published)

`model.homogeneity` and `model.pooled` say whether one variance holds for all. Everything is in the values' own units.
`python -m reports.stats.simulate` shows what these find where nothing is.
"""
