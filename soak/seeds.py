"""Good requests of every door, rich enough that a change anywhere reaches something.

A row of `DOORS`: the dialect that errors are told in, the path, what models it is for, and its
good bodies, without the model.
"""

DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "enum": ["Oslo", "Rome"]},
        "days": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
        "more": {"type": "array", "items": {"$ref": "#/$defs/place"}},
    },
    "required": ["city"],
    "additionalProperties": False,
    "$defs": {"place": {"type": "object", "properties": {"name": {"type": "string"}}}},
}

CHAT = [
    {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DOT}", "detail": "low"}},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
            ]},
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Oslo\"}"}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "cold"},
            {"role": "user", "content": "And now?", "name": "ann"},
        ],
        "tools": [{"type": "function", "function": {"name": "weather", "description": "d", "parameters": SCHEMA, "strict": True}}],
        "tool_choice": "auto", "parallel_tool_calls": False, "stream": True, "stream_options": {"include_usage": True},
        "temperature": 0.5, "top_p": 0.9, "max_completion_tokens": 50, "stop": ["x"], "seed": 1, "n": 1, "user": "u",
        "logit_bias": {"50256": -100}, "logprobs": True, "top_logprobs": 2, "presence_penalty": 0, "frequency_penalty": 0,
        "reasoning_effort": "low", "metadata": {"feature": "f"}, "service_tier": "auto", "store": False,
    },
    {
        "messages": [{"role": "developer", "content": "d"}, {"role": "user", "content": "hi"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA, "strict": True}},
        "max_tokens": 10, "stop": "y", "modalities": ["text"], "prediction": {"type": "content", "content": "p"},
        "tool_choice": {"type": "function", "function": {"name": "f"}}, "functions": [{"name": "f", "parameters": {}}],
        "tools": [{"type": "function", "function": {"name": "f"}}], "verbosity": "low", "web_search_options": {},
    },
]  # fmt: skip

RESPONSES = [
    {"input": "hi", "instructions": "Be brief.", "stream": True, "max_output_tokens": 20, "store": False},
    {
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "a"},
                                         {"type": "input_image", "image_url": f"data:image/png;base64,{DOT}", "detail": "auto"},
                                         {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "s"}], "encrypted_content": "e"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "o", "annotations": []}]},
            {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "cold"},
        ],
        "tools": [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": False}, {"type": "web_search"}],
        "tool_choice": {"type": "function", "name": "weather"}, "reasoning": {"effort": "low", "summary": "auto"},
        "text": {"format": {"type": "json_schema", "name": "s", "schema": SCHEMA}, "verbosity": "low"},
        "include": ["reasoning.encrypted_content"], "metadata": {"a": "b"}, "truncation": "auto", "temperature": 1,
        "previous_response_id": None, "background": False, "parallel_tool_calls": True, "top_logprobs": 1,
    },
]  # fmt: skip

MESSAGES = [
    {
        "max_tokens": 50, "stream": True, "temperature": 1, "top_k": 5, "stop_sequences": ["x"],
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DOT}},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "d"},
                 "title": "t", "citations": {"enabled": True}}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "t", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "ZA=="},
                {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": False,
                 "content": [{"type": "text", "text": "cold"}]},
                {"type": "text", "text": "and?"}]},
        ],
        "tools": [{"name": "weather", "description": "d", "input_schema": SCHEMA}, {"type": "web_search_20250305", "name": "web_search"}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "metadata": {"user_id": "u"}, "thinking": {"type": "enabled", "budget_tokens": 1024},
    },
    {"max_tokens": 10, "system": "s", "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "So"}],
     "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}, "effort": "low"}, "service_tier": "auto"},
]  # fmt: skip

GENERATE = [
    {
        "systemInstruction": {"parts": [{"text": "s"}]},
        "contents": [
            {"role": "user", "parts": [{"text": "a"}, {"inlineData": {"mimeType": "image/png", "data": DOT}},
                                       {"fileData": {"mimeType": "image/png", "fileUri": "https://example.com/a.png"}}]},
            {"role": "model", "parts": [{"text": "t", "thought": True, "thoughtSignature": "c2ln"},
                                        {"functionCall": {"id": "c", "name": "weather", "args": {"city": "Oslo"}}}]},
            {"role": "user", "parts": [{"functionResponse": {"id": "c", "name": "weather", "response": {"result": "cold"}}}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "weather", "description": "d", "parameters": {
            "type": "OBJECT", "properties": {"city": {"type": "STRING", "nullable": True}}}}]}, {"googleSearch": {}}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["weather"]}},
        "generationConfig": {"temperature": 0.5, "topP": 0.9, "topK": 5, "maxOutputTokens": 50, "stopSequences": ["x"],
                             "candidateCount": 1, "seed": 1, "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 100}},
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
    },
    {"contents": [{"parts": [{"text": "a"}]}], "generation_config": {"response_mime_type": "application/json",
                                                                    "responseSchema": SCHEMA, "responseLogprobs": True, "logprobs": 2}},
]  # fmt: skip

COHERE = [
    {
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DOT}"}}]},
            {"role": "assistant", "tool_plan": "p", "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c", "content": [{"type": "document", "document": {"data": "cold", "id": "1"}}]},
        ],
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}], "stream": True,
        "documents": ["d", {"id": "2", "data": {"text": "e"}}], "citation_options": {"mode": "FAST"}, "tool_choice": "REQUIRED",
        "response_format": {"type": "json_object", "json_schema": SCHEMA}, "safety_mode": "OFF", "max_tokens": 20,
        "stop_sequences": ["x"], "temperature": 0.3, "k": 5, "p": 0.5, "seed": 1, "logprobs": True, "thinking": {"type": "enabled"},
    },
]  # fmt: skip

RERANK = [
    {"query": "q", "documents": ["a", "b", "c"], "top_n": 2, "return_documents": True, "max_chunks_per_doc": 3},
    {"query": "q", "documents": [{"text": "a"}, {"text": "b", "title": "t"}], "rank_fields": ["text"], "max_tokens_per_doc": 10},
]  # fmt: skip

EMBED = [
    {"input": "a", "dimensions": 8, "encoding_format": "base64", "user": "u"},
    {"input": ["a", "b"], "encoding_format": "float"},
    {"input": [[1, 2], [3]]},
]

EMBED_CONTENT = [
    {
        "content": {"parts": [{"text": "a"}]},
        "taskType": "RETRIEVAL_DOCUMENT",
        "title": "t",
        "outputDimensionality": 8,
    },
    {"content": {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]}},
]

EMBED_BATCH = [{"requests": [
    {"model": "models/soak-embed-gemini", "content": {"parts": [{"text": "a"}]}, "taskType": "SEMANTIC_SIMILARITY"},
    {"content": {"parts": [{"text": "b"}]}, "outputDimensionality": 8}]}]  # fmt: skip

EMBED_COHERE = [
    {
        "texts": ["a", "b"],
        "input_type": "search_query",
        "embedding_types": ["float", "int8"],
        "truncate": "END",
    },
    {
        "inputs": [{"content": [{"type": "text", "text": "a"}]}],
        "input_type": "search_document",
        "output_dimension": 256,
    },
]

MODERATE = [
    {"input": "a"},
    {"input": ["a", "b"]},
    {
        "input": [
            {"type": "text", "text": "a"},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        ]
    },
]

COMPLETE = [
    {"prompt": "a", "max_tokens": 5, "stream": True, "stream_options": {"include_usage": True}, "logprobs": 1, "echo": False,
     "stop": ["x"], "suffix": None, "best_of": 1, "n": 1, "logit_bias": {"1": 1}, "temperature": 0},
    {"prompt": ["a"]}, {"prompt": [1, 2, 3]}, {"prompt": [[1, 2]]},
]  # fmt: skip

_ROWS = [
    ("anthropic", "/v1/messages", "chat", MESSAGES),
    ("anthropic", "/v1/messages/count_tokens", "chat", MESSAGES),
    ("gemini", "/v1beta/models/{model}:generateContent", "chat", GENERATE),
    ("gemini", "/v1beta/models/{model}:streamGenerateContent?alt=sse", "chat", GENERATE),
    ("gemini", "/v1beta/models/{model}:countTokens", "chat", GENERATE),
    ("gemini", "/v1beta/models/{model}:embedContent", "embed", EMBED_CONTENT),
    ("gemini", "/v1beta/models/{model}:batchEmbedContents", "embed", EMBED_BATCH),
    ("cohere", "/v1/rerank", "soak-rerank", RERANK),
    ("cohere", "/v2/chat", "chat", COHERE),
    ("cohere", "/v2/embed", "embed", EMBED_COHERE),
    ("openai", "/v1/chat/completions", "chat", CHAT),
    ("openai", "/v1/responses", "chat", RESPONSES),
    ("openai", "/v1/completions", "chat", COMPLETE),
    ("openai", "/v1/embeddings", "embed", EMBED),
    ("openai", "/v1/moderations", "soak-moderate", MODERATE),
]

DOORS = [dict(zip(("dialect", "path", "for", "bodies"), row)) for row in _ROWS]
