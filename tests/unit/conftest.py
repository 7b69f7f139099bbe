"""Random inputs of unit tests are bounded by their number, and by no time: a machine may be busy."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "skep", deadline=None, suppress_health_check=[HealthCheck.too_slow], parent=settings.default
)
settings.load_profile("skep")
