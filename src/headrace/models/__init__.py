"""Who answers, and when there is room."""
