"""Names: a calibrated classifier of titles, and how its scores are put beside the image's."""
