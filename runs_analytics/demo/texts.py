"""What runs were asked, what they answered and how they failed: short made-up texts that a search can find."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Final

from runs_analytics.demo.catalog import FEATURES, Feature

VARIANTS: Final = 48
"""Texts of each kind; a text is found at its first position plus a number below this."""

_COMPANIES: Final = (
    "Alpenblick Logistik", "Norrvik Shipping", "Helio Solar", "Brückner & Söhne", "Kappa Robotics", "Fjordline Foods",
    "Ostsee Werften", "Mirador Hotels", "Quarzwerk Lausitz", "Tidewater Legal", "Lumen Dental", "Granit Bau",
    "Sommer Textil", "Polar Freight", "Vela Insurance", "Ardent Biotech",
)  # fmt: skip
_ROLES: Final = ("head of operations", "CFO", "plant manager", "VP sales", "IT lead", "buyer")
_CITIES: Final = ("Hamburg", "Aarhus", "Kraków", "Lyon", "Göteborg", "Graz", "Porto", "Tampere")

_PROMPTS: Final[dict[str, tuple[str, str]]] = {
    "Lead research": ("Find the {role} of {company} in {city} and two reasons to write now.",
                      "{company}: the {role} joined in spring; a second site in {city} opens soon."),
    "Email drafting": ("Draft a first e-mail to the {role} of {company}, at most 90 words.",
                       "Hello, I saw that {company} is growing in {city}. Teams like yours save a day a week …"),
    "Company enrichment": ("Enrich {company}, {city}: head count, revenue band, technology.",
                           "{company}: 180 people, revenue band C, uses an old ERP in {city}."),
    "Site crawl": ("Fetch the pricing and about pages of {company} and list plan names.",
                   "Read 7 pages of {company}; plans: Basis, Plus, Werk."),
    "Subject lines": ("One subject line for {company}.", "{city} in two days?"),
    "Meeting notes": ("Notes of the call with {company}, then action items.",
                      "{company} wants a pilot in {city}; the {role} decides."),
    "Address check": ("Is the address of {company}, {city}, deliverable?", "deliverable"),
    "Contract review": ("List unusual clauses in the contract with {company}.",
                        "Clause 7 lets {company} leave within 30 days; liability is capped twice."),
    "Ticket answers": ("{company} asks why the export is empty.", "The filter was set to {city}; clear it."),
    "Market reports": ("Write a market report for {city}, with {company} as example.",
                       "Demand in {city} rose; {company} leads, prices fall."),
}  # fmt: skip
_OTHER: Final = ("{feature} for {company}, {city}.", "{feature} done for {company}.")

_FAILURES: Final[dict[str, tuple[str, ...]]] = {
    "LLM": ("429 rate limited: too many tokens per minute, retry after {n} s",
            "context length exceeded: {n}0412 tokens, the limit is 128000",
            "output is not valid JSON at character {n}", "503 model overloaded"),
    "Search": ("429 rate limited: {n} queries in 1 s", "502 bad gateway from the search provider"),
    "Enrichment": ("404 no record for domain company-{n}.example", "422 invalid domain 'company {n}'",
                   "429 rate limited: quota of {n}00 records an hour reached"),
    "Images": ("content policy: the prompt names a person", "500 image generation failed, job {n}"),
    "E-mail": ("550 invalid address contact-{n}@example", "421 greylisted, try again in {n} minutes",
               "552 mailbox full"),
    "Site crawl": ("connection reset by www.company-{n}.example", "403 blocked by robots.txt of company-{n}.example",
                   "TLS certificate of company-{n}.example has expired"),
    "Speech": ("unsupported audio format in part {n}", "audio is silent from second {n}"),
    "Embeddings": ("429 rate limited, retry after {n} s",),
    "Vector store": ("index shard {n} is read-only",),
    "OCR": ("page {n} is encrypted", "no text found on page {n}"),
    "Translation": ("unsupported language pair de-{n}",),
    "Vision": ("image {n} is smaller than 32 pixels", "422 image could not be decoded"),
}  # fmt: skip

SERVICES: Final = tuple(_FAILURES)
OVERLOAD: Final = "503 overloaded: large-3 and its siblings accept no requests"
STRUGGLE: Final = "template field {{{{first_name}}}} has no value in row {n}"
LOOP: Final = "connection reset by www.company-{n}.example"


@cache
def inputs() -> tuple[str, ...]:
    """VARIANTS texts of each feature, in the order of FEATURES."""
    return tuple(_filled(_PROMPTS.get(feature.name, _OTHER)[0], feature.name, n) for feature, n in _each())


@cache
def outputs() -> tuple[str, ...]:
    """VARIANTS texts of each feature, in the order of FEATURES."""
    return tuple(_filled(_PROMPTS.get(feature.name, _OTHER)[1], feature.name, n) for feature, n in _each())


@cache
def errors() -> tuple[str, ...]:
    """VARIANTS texts of each kind of error; the constants below say which kind is where."""
    templates = [
        *(_FAILURES[service] for service in SERVICES),
        *((f"timeout after 60 s waiting for {service}",) for service in SERVICES),
        (OVERLOAD,),
        (STRUGGLE,),
        (LOOP,),
        ("stopped by the user", "stopped: the browser was closed"),
        ("blocked: the monthly cap of the project is reached",),
    ]
    return tuple(
        choice[number % len(choice)].format(n=7 + number * 3)
        for choice, number in product(templates, range(VARIANTS))
    )


FAILED: Final = 0
"""Errors begin with those of failed calls, by position in SERVICES."""

TIMED_OUT: Final = len(SERVICES)
OVERLOADED: Final = 2 * len(SERVICES)
STRUGGLED: Final = OVERLOADED + 1
LOOPED: Final = OVERLOADED + 2
CANCELLED: Final = OVERLOADED + 3
BLOCKED: Final = OVERLOADED + 4


def _each() -> list[tuple[Feature, int]]:
    return list(product(FEATURES, range(VARIANTS)))


def _filled(template: str, feature: str, number: int) -> str:
    return template.format(
        feature=feature,
        company=_COMPANIES[number % len(_COMPANIES)],
        role=_ROLES[number % len(_ROLES)],
        city=_CITIES[(number * 3 + number // 16) % len(_CITIES)],
    )
