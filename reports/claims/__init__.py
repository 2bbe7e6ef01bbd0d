"""Which of the paper's claims hold: the claims as data, the comparisons they rest on, the document of both."""
