"""Forecasts of a series of counts or amounts: a field of smoothing models, combined by rolling back-test."""
