"""Sessions of onnxruntime, opened so that a graph runs on one thread and from its own bytes."""

import re

import onnxruntime

from serving.model.version_files import MODEL_FILE, ModelError

NOWHERE = "/nonexistent"  # where a model may look for data outside of its file


def open_session(model: bytes, name: str = MODEL_FILE) -> onnxruntime.InferenceSession:
    """Open a graph; raises ModelError, with the file's name, for one that cannot be run."""
    options = onnxruntime.SessionOptions()
    # Rows are few and workers are many: a thread pool in each would only contend.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # its errors are raised as well; here they would be no JSON
    # It would read the working folder's files, which the model's digest does not cover.
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", NOWHERE
    )
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base class of their own
        if re.search("external|should be stored in", str(error), re.IGNORECASE):
            raise ModelError(
                f"{name} keeps data in another file, which its digest does not cover"
            ) from error
        raise ModelError(f"{name} is no model that onnxruntime can run") from error
