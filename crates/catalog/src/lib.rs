//! What exists and what it costs: providers, models, prices, token counts, money.
