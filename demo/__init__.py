"""The demo, and the stage on which the stories of the tests are played too."""
