"""Families of scikit-learn's models, cross-validated on its bundled data sets."""
