"""What Northwind Outreach runs: services, models, features, and the calls that each feature makes.

A feature is used either by one plain call or by an agent run whose child calls follow the feature's steps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from runs_analytics.vocabulary import NANO, NONE


@dataclass(frozen=True, slots=True)
class Unit:
    """A named unit that a call reports, in whole multiples of a step."""

    name: str
    least: int
    most: int
    step_nano: int = NANO


@dataclass(frozen=True, slots=True)
class Call:
    """What one kind of call typically takes; medians of skewed distributions."""

    service: str
    model: str = NONE
    duration_ms: float = 300
    spread: float = 0.5
    """Standard deviation of the logarithm of the duration."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_share: float = 0.0
    """Largest part of the input that comes from a prompt cache."""

    request_bytes: int = 400
    response_bytes: int = 2_000
    unit: Unit | None = None
    error_weight: float = 1.0
    """How often it fails compared with an average call."""


@dataclass(frozen=True, slots=True)
class Feature:
    """A thing that the company built on agents and APIs."""

    name: str
    team: str
    """The team that uses it most."""

    share: float
    """Part of all runs, child calls included, relative to the other features."""

    call: Call
    """The plain call, which also names the feature's main service."""

    agent: str = NONE
    agent_share: float = 0.0
    """Part of its uses that are agent runs."""

    steps: tuple[Call, ...] = ()
    """The child calls of an agent run, in order; some are made once more."""


LARGE: Final = Call(
    "LLM", "large-3", 7_200, 0.55, 9_400, 1_500, 0.5, request_bytes=9_000, response_bytes=4_200
)
MEDIUM: Final = Call(
    "LLM", "medium-3", 3_900, 0.5, 7_600, 1_250, 0.4, request_bytes=7_500, response_bytes=3_100
)
SMALL: Final = Call("LLM", "small-3", 1_300, 0.45, 3_800, 620, 0.3, request_bytes=5_200, response_bytes=1_400)
REASON: Final = Call(
    "LLM", "reason-1", 24_000, 0.6, 9_000, 5_200, 0.3, request_bytes=15_000, response_bytes=9_800
)
NANO_CHAT: Final = Call("LLM", "nano-1", 420, 0.4, 420, 24, 0.2, request_bytes=1_900, response_bytes=300)
SEARCH: Final = Call(
    "Search", NONE, 640, 0.5, request_bytes=310, response_bytes=18_000, unit=Unit("queries", 1, 3)
)
ENRICH: Final = Call(
    "Enrichment", NONE, 900, 0.7, request_bytes=520, response_bytes=6_400, unit=Unit("records", 1, 5)
)
IMAGE: Final = Call(
    "Images",
    "image-2",
    11_500,
    0.4,
    180,
    0,
    request_bytes=1_100,
    response_bytes=1_450_000,
    unit=Unit("images", 1, 4),
)
MAIL: Final = Call(
    "E-mail", NONE, 210, 0.6, request_bytes=14_000, response_bytes=260, unit=Unit("emails", 1, 1)
)
CRAWL: Final = Call(
    "Site crawl",
    NONE,
    5_400,
    0.9,
    request_bytes=380,
    response_bytes=310_000,
    unit=Unit("pages", 1, 25),
    error_weight=1.7,
)
SPEECH: Final = Call(
    "Speech",
    "speech-1",
    9_800,
    0.7,
    request_bytes=2_400_000,
    response_bytes=9_000,
    unit=Unit("minutes", 5, 420, NANO // 10),
)
EMBED: Final = Call("Embeddings", "embed-2", 160, 0.4, 900, 0, request_bytes=4_100, response_bytes=12_500)
VECTOR: Final = Call(
    "Vector store", NONE, 38, 0.5, request_bytes=6_300, response_bytes=9_100, error_weight=0.4
)
OCR: Final = Call(
    "OCR", NONE, 2_600, 0.6, request_bytes=820_000, response_bytes=7_700, unit=Unit("pages", 1, 12)
)
TRANSLATE: Final = Call(
    "Translation", "translate-1", 880, 0.5, 640, 690, request_bytes=2_900, response_bytes=3_200
)
VISION: Final = Call(
    "Vision",
    "vision-1",
    2_100,
    0.5,
    1_150,
    130,
    request_bytes=640_000,
    response_bytes=900,
    unit=Unit("images", 1, 3),
)

SLOW_STEP: Final = replace(OCR, duration_ms=26_000, spread=0.35)
CHECK_ADDRESS: Final = replace(ENRICH, duration_ms=70, spread=0.3, request_bytes=96, response_bytes=120)
SUBJECT_LINE: Final = replace(
    LARGE,
    duration_ms=1_500,
    input_tokens=64,
    output_tokens=14,
    cached_share=0.0,
    request_bytes=420,
    response_bytes=180,
)

UNUSED_FEATURE: Final = "Voice memos"
BATCHED_FEATURE: Final = "Address check"
OVERPRICED_FEATURE: Final = "Subject lines"
LEAKING_FEATURE: Final = "Meeting notes"
SHIFTED_FEATURE: Final = "Site monitoring"
UNPRICED_FEATURE: Final = "Screenshot review"
UNLISTED_FEATURE: Final = "Reply sorting"
LOOPING_FEATURE: Final = "Site crawl"
SLOW_FEATURE: Final = "Company enrichment"
SURGE_FEATURE: Final = "Lead research"

_SALES, _GROWTH, _MARKETING = "Sales development", "Growth", "Marketing"
_SUCCESS, _DATA, _ENGINEERING = "Customer success", "Data", "Engineering"

FEATURES: Final = (
    Feature(SURGE_FEATURE, _GROWTH, 15, MEDIUM, "Prospector", 0.85, (SEARCH, ENRICH, MEDIUM, LARGE)),
    Feature("Email drafting", _SALES, 12, LARGE, "Writer", 0.7, (EMBED, VECTOR, LARGE)),
    Feature(SLOW_FEATURE, _GROWTH, 10, ENRICH, "Enricher", 0.8, (ENRICH, SLOW_STEP, SMALL)),
    Feature(LOOPING_FEATURE, _DATA, 8, CRAWL, "Crawler", 0.75, (CRAWL, CRAWL, SMALL)),
    Feature("Lead scoring", _SALES, 6, SMALL, "Analyst", 0.6, (ENRICH, SMALL)),
    Feature("Email sending", _SALES, 6, MAIL, "Scheduler", 0.35, (SMALL, MAIL)),
    Feature("Reply drafting", _SALES, 5, MEDIUM, "Writer", 0.7, (EMBED, VECTOR, MEDIUM)),
    Feature("Meeting booking", _SALES, 3.5, SMALL, "Scheduler", 0.8, (SMALL, SEARCH, MAIL)),
    Feature("Market reports", _MARKETING, 3.5, REASON, "Analyst", 0.75, (SEARCH, SEARCH, CRAWL, REASON)),
    Feature("Image ads", _MARKETING, 4, IMAGE),
    Feature("Social graphics", _MARKETING, 2.5, IMAGE),
    Feature("Landing page copy", _MARKETING, 2, LARGE, "Designer", 0.6, (SEARCH, LARGE, LARGE)),
    Feature(OVERPRICED_FEATURE, _MARKETING, 3, SUBJECT_LINE),
    Feature("Summaries", _SUCCESS, 3.5, SMALL, "Listener", 0.5, (EMBED, SMALL)),
    Feature(LEAKING_FEATURE, _SUCCESS, 2.5, MEDIUM),
    Feature("Call transcription", _SUCCESS, 2, SPEECH, "Listener", 0.6, (SPEECH, MEDIUM)),
    Feature(UNUSED_FEATURE, _SUCCESS, 1.2, SPEECH),
    Feature("Ticket answers", _SUCCESS, 2.5, MEDIUM, "Librarian", 0.8, (EMBED, VECTOR, MEDIUM)),
    Feature("Knowledge search", _ENGINEERING, 3, VECTOR, "Librarian", 0.7, (EMBED, VECTOR, SMALL)),
    Feature("Document intake", _DATA, 1.8, OCR, "Librarian", 0.6, (OCR, EMBED, SMALL)),
    Feature("Contract review", _SUCCESS, 1, REASON, "Analyst", 0.7, (OCR, REASON)),
    Feature("Translation", _MARKETING, 2.5, TRANSLATE),
    Feature(SHIFTED_FEATURE, _DATA, 3, CRAWL),
    Feature("List building", _GROWTH, 3, SEARCH, "Prospector", 0.7, (SEARCH, SEARCH, ENRICH)),
    Feature(BATCHED_FEATURE, _DATA, 1.2, CHECK_ADDRESS),
    Feature(UNLISTED_FEATURE, _SALES, 1.8, NANO_CHAT),
    Feature(UNPRICED_FEATURE, _MARKETING, 1.6, VISION),
    Feature("Code review", _ENGINEERING, 1.2, REASON, "Analyst", 0.5, (MEDIUM, REASON)),
)
