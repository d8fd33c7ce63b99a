"""Work behind the scenes: what there is and when (`schedule`), how one piece is done (`worker`), and the two ways of
running it on any number of machines: `runjobs` (`runner`) and Celery (`celery`)."""
