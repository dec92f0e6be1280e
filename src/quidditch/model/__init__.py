"""Pure: the objects of the control plane, their codecs, errors, names."""
