"""Models, solvers, estimators and encoders in files: safetensors with JSON, no pickle."""

from fastfm_c.persistence._files import load, save

__all__ = ["load", "save"]
