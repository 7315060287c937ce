//! The fields that are looked at, dialect by dialect, and in which words each says them.

use super::fields::{
    Field, audio, feature, field, format, input, max_completion_tokens, max_tokens, messages, mime,
    modalities, model, n, named, prompts, read_by_model, schema, stream, stream_options, tools,
    user,
};

static FEATURE: &[Field] = &[field("feature", feature)];
static FORMAT: &[Field] = &[field("format", format)];

pub(super) static CHAT: &[Field] = &[
    field("model", model),
    field("messages", messages),
    field("stream", stream),
    field("stream_options", stream_options),
    field("max_tokens", max_tokens),
    field("max_completion_tokens", max_completion_tokens),
    field("n", n),
    field("tools", tools),
    field("functions", tools),
    field("response_format", format),
    field("modalities", modalities),
    field("audio", audio),
    field("user", user),
    field("metadata", |peek, value| value.members(peek, FEATURE)),
    named("temperature"),
    named("top_p"),
    named("stop"),
    named("tool_choice"),
    named("parallel_tool_calls"),
    named("reasoning_effort"),
    named("seed"),
    named("presence_penalty"),
    named("frequency_penalty"),
    named("logprobs"),
    named("top_logprobs"),
    named("service_tier"),
    named("store"),
];

pub(super) static RESPONSES: &[Field] = &[
    field("model", model),
    field("input", input),
    field("instructions", read_by_model),
    field("stream", stream),
    field("max_output_tokens", max_tokens),
    field("tools", tools),
    field("text", |peek, value| value.members(peek, FORMAT)),
    field("prompt", read_by_model),
    field("modalities", modalities),
    field("audio", audio),
    field("user", user),
    field("metadata", |peek, value| value.members(peek, FEATURE)),
    named("stream_options"),
    named("store"),
    named("include"),
    named("reasoning"),
    named("previous_response_id"),
    named("conversation"),
    named("background"),
    named("parallel_tool_calls"),
    named("tool_choice"),
    named("temperature"),
    named("top_p"),
    named("truncation"),
    named("service_tier"),
    named("prompt_cache_key"),
    named("safety_identifier"),
];

pub(super) static COMPLETIONS: &[Field] = &[
    field("model", model),
    field("prompt", prompts),
    field("suffix", read_by_model),
    field("stream", stream),
    field("stream_options", stream_options),
    field("max_tokens", max_tokens),
    field("n", n),
    // All are made and paid for, and the best ones are told.
    field("best_of", n),
    field("user", user),
    field("metadata", |peek, value| value.members(peek, FEATURE)),
    named("temperature"),
    named("top_p"),
    named("stop"),
    named("echo"),
    named("logprobs"),
    named("seed"),
    named("presence_penalty"),
    named("frequency_penalty"),
];

static ANTHROPIC_METADATA: &[Field] = &[field("user_id", user), field("feature", feature)];

pub(super) static ANTHROPIC: &[Field] = &[
    field("model", model),
    field("messages", messages),
    field("system", read_by_model),
    field("stream", stream),
    field("max_tokens", max_tokens),
    field("tools", tools),
    field("output_config", |peek, value| value.members(peek, FORMAT)),
    // The name it had while it was in its beta.
    field("output_format", format),
    field("metadata", |peek, value| value.members(peek, ANTHROPIC_METADATA)),
    named("temperature"),
    named("top_p"),
    named("top_k"),
    named("stop_sequences"),
    named("tool_choice"),
    named("thinking"),
    named("service_tier"),
    named("anthropic_version"),
];

static GEMINI_CONFIG: &[Field] = &[
    field("maxOutputTokens", max_tokens),
    field("max_output_tokens", max_tokens),
    field("candidateCount", n),
    field("candidate_count", n),
    field("responseMimeType", mime),
    field("response_mime_type", mime),
    field("responseSchema", schema),
    field("response_schema", schema),
    field("responseJsonSchema", schema),
    field("response_json_schema", schema),
    field("responseModalities", modalities),
    field("response_modalities", modalities),
];

pub(super) static GEMINI: &[Field] = &[
    field("contents", input),
    field("systemInstruction", read_by_model),
    field("system_instruction", read_by_model),
    field("tools", tools),
    field("generationConfig", |peek, value| value.members(peek, GEMINI_CONFIG)),
    field("generation_config", |peek, value| value.members(peek, GEMINI_CONFIG)),
    // Vertex takes labels for its bills.
    field("labels", |peek, value| value.members(peek, FEATURE)),
    named("toolConfig"),
    named("tool_config"),
    named("safetySettings"),
    named("safety_settings"),
    named("cachedContent"),
    named("cached_content"),
];

static BEDROCK_INFERENCE: &[Field] = &[field("maxTokens", max_tokens)];
static BEDROCK_TOOLS: &[Field] = &[field("tools", tools)];
static BEDROCK_OUTPUT: &[Field] = &[field("textFormat", schema)];

pub(super) static BEDROCK: &[Field] = &[
    field("messages", messages),
    field("system", read_by_model),
    field("inferenceConfig", |peek, value| value.members(peek, BEDROCK_INFERENCE)),
    field("toolConfig", |peek, value| value.members(peek, BEDROCK_TOOLS)),
    field("outputConfig", |peek, value| value.members(peek, BEDROCK_OUTPUT)),
    field("requestMetadata", |peek, value| value.members(peek, FEATURE)),
    named("additionalModelRequestFields"),
    named("additionalModelResponseFieldPaths"),
    named("guardrailConfig"),
    named("performanceConfig"),
    named("promptVariables"),
    named("serviceTier"),
];

pub(super) static COHERE: &[Field] = &[
    field("model", model),
    field("messages", messages),
    field("documents", read_by_model),
    field("stream", stream),
    field("max_tokens", max_tokens),
    field("tools", tools),
    field("response_format", format),
    named("temperature"),
    named("p"),
    named("k"),
    named("seed"),
    named("stop_sequences"),
    named("presence_penalty"),
    named("frequency_penalty"),
    named("tool_choice"),
    named("thinking"),
    named("safety_mode"),
];

/// Plain calls of all kinds and dialects at once: their words do not clash.
pub(super) static PLAIN: &[Field] = &[
    field("model", model),
    field("input", input),
    field("texts", input),
    field("images", input),
    field("inputs", input),
    field("content", read_by_model),
    field("requests", input),
    field("query", read_by_model),
    field("documents", input),
    field("user", user),
    field("metadata", |peek, value| value.members(peek, FEATURE)),
    named("encoding_format"),
    named("dimensions"),
    named("output_dimension"),
    named("input_type"),
    named("truncation"),
    named("top_n"),
    named("top_k"),
    named("return_documents"),
    named("embedding_types"),
];
