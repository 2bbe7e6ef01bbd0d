"""RUL with a part of it changed or taken away: the ablations of the paper's 4.6 and 4.7, and a control of ours."""
