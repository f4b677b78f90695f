"""Signals made of signals: filters, spectra, the power of bands, blinks, and what is no EEG at all."""
