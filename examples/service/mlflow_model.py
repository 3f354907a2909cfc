"""The bundle as an MLflow model without pickle: its file is the artifact, and this code is the model."""

import mlflow

import fastfm_c
from fastfm_c import LogisticLoss


class Bundle(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        bundle = fastfm_c.load(context.artifacts["bundle"])
        self.encoder, self.model = bundle["encoder"], bundle["model"]

    def predict(self, context, model_input, params=None):
        return LogisticLoss().proba(self.model.predict(self.encoder.transform(model_input)))


mlflow.models.set_model(Bundle())
# mlflow.pyfunc.log_model(name="bundle", python_model="mlflow_model.py", artifacts={"bundle":
# "model.safetensors"})
