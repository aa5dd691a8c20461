"""Who answers: one file for each kind of upstream, request in, events out."""
