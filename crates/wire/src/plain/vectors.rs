//! Vectors on the wire: lists of numbers, or base64 of little-endian 32-bit floats.
//!
//! Both ways are exact: a float is written with as many digits as tell it from its neighbours. A
//! number that is none (infinite, or not a number) is refused, because JSON has no word for it.

use crate::error::DecodeError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;

/// A vector that is read, however it is written.
#[derive(Debug)]
pub(super) struct Vector(pub(super) Vec<f32>);

/// Longer than any model's vectors; bounds only what is reserved before it was seen.
const USUAL_LENGTH: usize = 8_192;

impl<'de> Deserialize<'de> for Vector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Numbers).map(Self)
    }
}

struct Numbers;

impl<'de> Visitor<'de> for Numbers {
    type Value = Vec<f32>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of numbers or base64 of 32-bit floats")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<f32>, E> {
        let bytes = STANDARD.decode(text).map_err(|_| E::custom("not base64"))?;
        let (floats, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(E::custom("not base64 of 32-bit floats"));
        }
        floats.iter().map(|bytes| finite(f32::from_le_bytes(*bytes))).collect()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<f32>, A::Error> {
        let room = list.size_hint().unwrap_or(0).min(USUAL_LENGTH);
        let mut vector = Vec::with_capacity(room);
        while let Some(number) = list.next_element()? {
            vector.push(finite(number)?);
        }
        Ok(vector)
    }
}

fn finite<E: Error>(number: f32) -> Result<f32, E> {
    if number.is_finite() { Ok(number) } else { Err(E::custom("a number out of range")) }
}

/// A vector to be written as a client wants it.
#[derive(Debug)]
pub(super) struct Written<'a> {
    pub(super) vector: &'a [f32],
    pub(super) base64: bool,
}

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !self.base64 {
            return serializer.collect_seq(self.vector);
        }
        let bytes: Vec<u8> = self.vector.iter().flat_map(|number| number.to_le_bytes()).collect();
        serializer.serialize_str(&STANDARD.encode(bytes))
    }
}

/// Reads each element of a list, with its place in the error.
pub(super) fn each<'a, T: Deserialize<'a>>(
    list: &[&'a RawValue],
    name: &str,
) -> Result<Vec<T>, DecodeError> {
    let read = |(at, element): (usize, &&'a RawValue)| {
        serde_json::from_str(element.get())
            .map_err(|error| DecodeError::at(format!("{name}[{at}]"), error.to_string()))
    };
    list.iter().enumerate().map(read).collect()
}

/// An answer that is not of the form the dialect has.
pub(super) fn malformed(error: &serde_json::Error) -> DecodeError {
    DecodeError::at("", format!("malformed answer: {error}"))
}

/// The JSON text of an answer. Writing to memory cannot fail; a failure would leave it empty.
pub(super) fn json(answer: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(answer).unwrap_or_default()
}
