"""The bench of retrieval runs from end to end on a file of its format; and counts rightly."""

import json
import os
import subprocess
import sys
from pathlib import Path

from bench.retrieval.__main__ import report
from bench.retrieval.asked import Answer
from bench.retrieval.locomo import Question, read, recall

ROOT = Path(__file__).parents[2]
MADE_UP = [
    {
        "sample_id": "conv-1",
        "conversation": {
            "speaker_a": "Ada",
            "session_10_date_time": "1 pm on 9 May, 2026",
            "session_10": [{"speaker": "Bo", "dia_id": "D10:1", "text": "I sold my bicycle."}],
            "session_2_date_time": "2 pm on 8 May, 2026",
            "session_2": [
                {"speaker": "Ada", "dia_id": "D2:1", "text": "I play the violin."},
                {"speaker": "Bo", "dia_id": "D2:2", "text": "How nice!", "blip_caption": "a photo"},
            ],
        },
        "qa": [
            {
                "question": "What does Ada play?",
                "answer": "violin",
                "category": 4,
                "evidence": ["D2:1; D9:9"],
            },
            {"question": "Who has no bicycle?", "category": 1, "evidence": ["D10:1", "D2:1"]},
            {"question": "Unanswerable", "category": 5, "evidence": []},
        ],
    }
]


def test_the_format_is_read(tmp_path: Path):
    path = tmp_path / "made-up.json"
    path.write_text(json.dumps(MADE_UP))
    [conversation] = read(path)
    assert list(conversation.turns) == ["D2:1", "D2:2", "D10:1"]
    assert conversation.turns["D2:1"] == "Ada (2 pm on 8 May, 2026): I play the violin."
    assert [question.evidence for question in conversation.questions] == [{"D2:1"}, {"D10:1", "D2:1"}]


def test_recall_is_the_share_of_the_evidence():
    assert recall(frozenset({"a", "b"}), ["x", "a", "b"], 2) == 0.5
    question = Question("?", 1, frozenset({"a", "b"}))
    lines = list(report({"lexical": [Answer("conv-1", question, ["a", "x"], 3.0)], "vector": []}))
    assert lines[1].split()[:4] == ["lexical", "(1)", "50.0", "50.0"]


def test_the_bench_runs_through_the_api(tmp_path: Path):
    path = tmp_path / "made-up.json"
    path.write_text(json.dumps(MADE_UP))
    command = (sys.executable, "-m", "bench.retrieval")
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "LOCOMO": str(path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {line.split()[0]: line.split()[2:6] for line in done.stdout.splitlines() if "(2)" in line}
    assert rows["lexical"] == ["75.0"] * 4  # the violin has no word of the second question
    assert rows["fused"] == rows["vector"] == ["100.0"] * 4
