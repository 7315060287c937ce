//! Cooldowns: the latest moment wins and ends by itself.

use route::{Cooldown, Tick};

const fn s(seconds: u64) -> Tick {
    Tick::from_millis(seconds * 1_000)
}

#[test]
fn it_is_active_until_its_moment_and_not_at_it() {
    let cooldown = Cooldown::new();
    assert_eq!(cooldown.active(s(0)), None);
    cooldown.set_until(s(7));
    assert_eq!(cooldown.active(Tick::from_nanos(s(7).nanos() - 1)), Some(s(7)));
    assert_eq!(cooldown.active(s(7)), None);
}

#[test]
fn a_shorter_one_does_not_shorten_it() {
    let cooldown = Cooldown::new();
    cooldown.set_until(s(60));
    cooldown.set_until(s(1));
    assert_eq!(cooldown.active(s(2)), Some(s(60)));
    cooldown.set_until(s(3_600));
    assert_eq!(cooldown.active(s(2)), Some(s(3_600)));
}

#[test]
fn clearing_ends_it_now() {
    let cooldown = Cooldown::new();
    cooldown.set_until(s(3_600));
    cooldown.clear();
    assert_eq!(cooldown.active(s(0)), None);
}
