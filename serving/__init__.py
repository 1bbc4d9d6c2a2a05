"""The service: it answers with the model that the registry's stage names."""

import os

# onnxruntime tells its maker about machine and model, and writes a device id into the home folder,
# from its first import on; only this variable stops both (microsoft/onnxruntime#27379).
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
