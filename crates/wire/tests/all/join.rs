//! Joins are exact: nothing repeated, nothing lost, whatever the pieces.

use proptest::prelude::*;
use wire::join::{Joined, Joiner, Prefilled};

/// `text` in pieces that end at `cuts`.
fn pieces<'a>(text: &'a str, cuts: &[usize]) -> Vec<&'a str> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).collect();
    ends.retain(|end| text.is_char_boundary(*end));
    ends.extend([0, text.len()]);
    ends.sort_unstable();
    ends.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect()
}

fn restarted(delivered: &str, pieces: &[&str]) -> Option<String> {
    let mut joiner = Joiner::new(delivered.to_owned());
    let mut out = delivered.to_owned();
    for piece in pieces {
        match joiner.push(piece) {
            Joined::Waiting => {}
            Joined::Emit(text) => out.push_str(&text),
            Joined::Disagrees => return None,
        }
    }
    joiner.caught_up().then_some(out)
}

fn continued(delivered: &str, pieces: &[&str]) -> String {
    let mut prefilled = Prefilled::new(delivered, delivered.trim_end());
    let mut out = delivered.to_owned();
    for piece in pieces {
        match prefilled.push(piece) {
            Joined::Waiting => {}
            Joined::Emit(text) => out.push_str(&text),
            Joined::Disagrees => panic!("a continuation never disagrees"),
        }
    }
    out.extend(prefilled.finish());
    out
}

#[test]
fn the_first_difference_of_a_restart_disagrees_for_good() {
    let mut joiner = Joiner::new("Hello world".to_owned());
    assert_eq!(joiner.push("Hello "), Joined::Waiting);
    assert_eq!(joiner.push("moon"), Joined::Disagrees);
    assert_eq!(joiner.push("world"), Joined::Disagrees);
    assert!(!joiner.caught_up());
}

#[test]
fn a_restart_shorter_than_what_was_delivered_does_not_catch_up() {
    assert_eq!(restarted("Hello world", &["Hello"]), None);
}

#[test]
fn a_continuation_that_starts_otherwise_is_taken_as_it_is() {
    assert_eq!(continued("One, two, ", &["three"]), "One, two, three");
    assert_eq!(continued("One, two, ", &[" three"]), "One, two, three");
    assert_eq!(continued("One, two,", &[" three"]), "One, two, three");
}

#[test]
fn the_beginning_of_an_echo_that_breaks_off_is_new_text() {
    assert_eq!(continued("Hello world", &["Hello", " moon"]), "Hello worldHello moon");
    assert_eq!(continued("Hello world", &["Hello"]), "Hello worldHello");
}

#[test]
fn a_short_prefill_may_be_said_twice() {
    assert_eq!(continued("ha", &["ha", "ha"]), "hahaha");
}

proptest! {
    #[test]
    fn a_restart_that_agrees_gives_the_whole_text(
        text in "\\PC{0,40}", keep in 0usize..200, cuts in prop::collection::vec(0usize..200, 0..9)
    ) {
        let mut keep = keep % (text.len() + 1);
        while !text.is_char_boundary(keep) {
            keep -= 1;
        }
        prop_assert_eq!(restarted(&text[..keep], &pieces(&text, &cuts)), Some(text.clone()));
    }

    #[test]
    fn a_restart_never_joins_a_different_text(
        delivered in "[ab]{1,6}", other in "[ab]{0,9}", cuts in prop::collection::vec(0usize..9, 0..5)
    ) {
        let expected = other.starts_with(&delivered).then(|| other.clone());
        prop_assert_eq!(restarted(&delivered, &pieces(&other, &cuts)), expected);
    }

    #[test]
    fn a_continuation_joins_exactly_with_or_without_space_and_echo(
        words in "[a-z]{8,20}", space in "[ \n]{0,3}", rest in "[A-Z][a-z ]{0,9}",
        echo in any::<bool>(), repeat_space in any::<bool>(),
        cuts in prop::collection::vec(0usize..60, 0..9)
    ) {
        let delivered = format!("{words}{space}");
        let mut answer = String::new();
        if echo {
            answer.push_str(&words);
        }
        if repeat_space {
            answer.push_str(&space);
        }
        answer.push_str(&rest);
        prop_assert_eq!(
            continued(&delivered, &pieces(&answer, &cuts)),
            format!("{words}{space}{rest}")
        );
    }
}
