//! Estimated token counts for vocabularies that we cannot embed.
//!
//! Every vocabulary of today is byte-pair encoding trained on much English, some code and less of
//! everything else, so what a byte costs depends mostly on what kind of text it stands in. One
//! figure per tokenizer (bytes of English prose per token) sets the scale; one table sets what the
//! kinds of characters cost on that scale. The table was fitted on the two encodings that are
//! counted exactly, the scale of each tokenizer on recorded answers and their billed tokens.

use super::Count;

/// Letters of one run that cost the usual; later ones belong to keys, hashes and base64, which
/// break into short tokens.
const WORD_LETTERS: u32 = 16;

/// Costs are in thousandths of what a byte of English prose costs.
const PROSE: u64 = 1000;

/// A kind of character, what it costs and how uncertain that is.
struct Kind {
    /// Cost of one byte, in thousandths of a byte of prose.
    cost: u64,
    /// The error, as a multiple of the tokenizer's own.
    error: u64,
}

const LETTER: Kind = Kind { cost: 700, error: 1 };
const LONG_RUN: Kind = Kind { cost: 3700, error: 1 };
const DIGIT: Kind = Kind { cost: 2200, error: 1 };
const SYMBOL: Kind = Kind { cost: 2800, error: 1 };
/// The space before a word stands for the word: short words cost more a byte than long ones.
const SPACE: Kind = Kind { cost: 2000, error: 1 };
const MORE_SPACE: Kind = Kind { cost: 350, error: 1 };
/// Han, kana and Hangul: three bytes a character, about three quarters of a token.
const CJK: Kind = Kind { cost: 1500, error: 2 };
/// Other scripts, two or three bytes a letter, and signs.
const OTHER: Kind = Kind { cost: 850, error: 2 };
/// Emoji and everything else of four bytes, often a token for every byte or two.
const RARE: Kind = Kind { cost: 2600, error: 2 };

/// Estimates the tokens of `text`, never more than its bytes, at least one for any text. The cost
/// of a character depends on the run it stands in, so the whole text is read once.
#[must_use]
pub fn estimate(text: &str, centibytes_per_token: u32, error_percent: u32) -> Count {
    let mut run = Run::default();
    let mut cost = 0_u64;
    let mut error = 0_u64;
    for c in text.chars() {
        let kind = run.kind(c);
        let charge = kind.cost.saturating_mul(c.len_utf8() as u64);
        cost = cost.saturating_add(charge);
        error = error.saturating_add(charge.saturating_mul(kind.error));
    }
    let per_token = u64::from(centibytes_per_token.max(1)).saturating_mul(PROSE);
    let bytes = text.len() as u64;
    let tokens = cost.saturating_mul(100).div_ceil(per_token).min(bytes);
    let margin = error.saturating_mul(u64::from(error_percent)).div_ceil(per_token);
    Count { tokens, exact: false, margin: margin.saturating_add(u64::from(bytes > 0)) }
}

/// Where in a run of letters or spaces the reader is.
#[derive(Default)]
struct Run {
    letters: u32,
    spaces: u32,
}

impl Run {
    fn kind(&mut self, c: char) -> Kind {
        let (letters, spaces) = (self.letters, self.spaces);
        *self = Self::default();
        match c {
            'a'..='z' | 'A'..='Z' => {
                self.letters = letters.saturating_add(1);
                if letters < WORD_LETTERS { LETTER } else { LONG_RUN }
            }
            '0'..='9' => {
                // Digits inside a long run keep it long.
                self.letters = letters.saturating_add(u32::from(letters > 0));
                DIGIT
            }
            c if c.is_ascii_whitespace() => {
                self.spaces = spaces.saturating_add(1);
                if spaces == 0 { SPACE } else { MORE_SPACE }
            }
            c if c.is_ascii() => SYMBOL,
            c if is_cjk(c) => CJK,
            c if c.len_utf8() < 4 => OTHER,
            _ => RARE,
        }
    }
}

/// Whether a character is of the common East Asian blocks.
const fn is_cjk(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}'
        | '\u{ff00}'..='\u{ffef}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::{Encoding, count};
    use proptest::prelude::*;

    const PROSE_TEXT: &str = "The harbour was quiet when the last ferry came in. Two men stood on \
        the pier and argued about the price of a net, while a dog slept between the crates. Nobody \
        had seen rain for six weeks, and the hills behind the town had turned the colour of straw. \
        \"We should have left in spring,\" said the older one, and spat into the water.";
    const MARKDOWN: &str = "## Steps\n\n1. **Install** the package with `pip install demo==2.4.1`\n\
        2. Copy the *example* file to `~/.config/demo.toml`\n3. Run it:\n\n```sh\ndemo --verbose \
        --port 8080\n```\n\n| option | default | meaning |\n|---|---|---|\n| port | 8080 | where it \
        listens |\n";
    const CODE: &str = "fn main() {\n    let mut total: u64 = 0;\n    for (index, value) in \
        values.iter().enumerate() {\n        if value % 2 == 0 {\n            total += value * \
        index as u64;\n        }\n    }\n    println!(\"total = {total}\");\n}\n";
    const JSON: &str = r#"{"id":"ord_9f31c2","items":[{"sku":"A-1001","qty":2,"price":19.99},{"sku":"B-2040","qty":1,"price":5.5}],"customer":{"name":"Ada Pine","email":"ada@example.org"},"paid":true}"#;
    const RUSSIAN: &str = "Гавань была тиха, когда пришёл последний паром. Двое мужчин стояли на \
        пирсе и спорили о цене сети, а собака спала между ящиками.";
    const CHINESE: &str =
        "最后一班渡轮进港时,港口很安静。两个男人站在码头上争论渔网的价格,一只狗在箱子之间睡着了。";
    const JAPANESE: &str = "最後のフェリーが入ってきたとき、港は静かだった。二人の男が桟橋に立ち、網の値段について言い争っていた。";
    const KOREAN: &str =
        "마지막 배가 들어왔을 때 항구는 조용했다. 두 남자가 부두에 서서 그물 값을 두고 다투었다.";
    const ARABIC: &str =
        "كان الميناء هادئا عندما وصلت آخر عبارة. وقف رجلان على الرصيف يتجادلان حول ثمن الشبكة.";
    const HINDI: &str =
        "जब आखिरी नाव आई तब बंदरगाह शांत था। दो आदमी घाट पर खड़े होकर जाल की कीमत पर बहस कर रहे थे।";
    const HASHES: &str = "c2hhMjU2OmQyYTg0ZjRiOGI2NTA5MzdlYzhmNzNjZDhiZTJjNzRhZGQ1YTkxMWJhNjRkZjI3NDU4ZWQ4MjI5ZGE4MDRhMjY=";

    #[test]
    fn estimates_on_the_scale_of_o200k_hold_their_stated_error() {
        for (name, text) in [
            ("prose", PROSE_TEXT),
            ("markdown", MARKDOWN),
            ("code", CODE),
            ("json", JSON),
            ("russian", RUSSIAN),
            ("chinese", CHINESE),
            ("japanese", JAPANESE),
            ("korean", KOREAN),
            ("arabic", ARABIC),
            ("hindi", HINDI),
            ("hashes", HASHES),
        ] {
            let exact = count(Encoding::O200k, text);
            let guess = estimate(text, 500, 25);
            assert!(
                guess.tokens.abs_diff(exact) <= guess.margin,
                "{name}: exact {exact}, estimated {} +- {}",
                guess.tokens,
                guess.margin
            );
        }
    }

    #[test]
    fn a_recorded_answer_is_estimated_within_the_stated_error() {
        // Answers of 4,904 bytes and 1,064 tokens (Qwen3) or 1,375 bytes and 300 tokens (DeepSeek).
        let text = PROSE_TEXT.repeat(20);
        for (bytes, billed) in [(4904, 1064_u64), (1375, 300)] {
            let guess = estimate(text.get(..bytes).unwrap(), 460, 25);
            assert!(guess.tokens.abs_diff(billed) <= guess.margin);
        }
    }

    proptest! {
        #[test]
        fn more_text_is_never_fewer_tokens(a: String, b: String, scale in 100..800_u32) {
            let part = estimate(&a, scale, 25);
            let whole = estimate(&format!("{a}{b}"), scale, 25);
            prop_assert!(whole.tokens >= part.tokens && whole.margin >= part.margin);
        }

        #[test]
        fn a_denser_vocabulary_never_counts_more(text: String, scale in 1..800_u32) {
            let dense = estimate(&text, scale + 1, 25).tokens;
            prop_assert!(dense <= estimate(&text, scale, 25).tokens);
        }
    }
}
