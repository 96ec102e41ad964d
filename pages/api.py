"""How programs use the API: examples that run as they are."""

import streamlit as st

from runs_analytics.ui import api_examples, controls

view = controls.open_present_page("API")
address = view.session.stores.settings.address
st.markdown(
    "Programs ask before each run, send what was used, and read every number that the pages show. Make a key under "
    "*Settings* and send it as `Authorization: Bearer runs_…`. Every operation is described in OpenAPI 3.1:"
)
st.code(f"{address}/api/openapi.json", language=None)
topic = controls.choice("example", api_examples.TOPICS, label="Example")
language = controls.choice("language", api_examples.LANGUAGES, label="Language")
with st.container(border=True):
    st.code(
        api_examples.text(topic, language), language=api_examples.HIGHLIGHTS[language], line_numbers=False
    )
    st.caption("Run it:")
    st.code(api_examples.start(topic, language, address), language="bash")
st.caption(
    "A refusal is a problem document: 402 `credits_exhausted`, 429 `limit_reached` with the limit and when it has room "
    "again, 429 `rate_limited` with `Retry-After`. The same id or `Idempotency-Key` again gets the same answer."
)
