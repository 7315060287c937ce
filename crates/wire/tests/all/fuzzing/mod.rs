//! Every input that the fuzzers keep, given once more to the same laws. The corpora lie in `fuzz/`
//! at the top of the repository; a finding is mended when its input, put there, passes here.

pub(crate) mod bodies;

use std::path::PathBuf;

#[expect(clippy::disallowed_methods, reason = "the corpora lie on the disk")]
fn inputs(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus");
    let entries = std::fs::read_dir(PathBuf::from(folder).join(target)).expect("a corpus");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.map(|path| (path.clone(), std::fs::read(&path).expect("an input"))).collect()
}

#[test]
fn every_kept_input_of_every_fuzz_target_obeys_the_laws() {
    for target in bodies::targets() {
        let inputs = inputs(target);
        assert!(!inputs.is_empty(), "{target}");
        for (path, input) in inputs {
            let sound = std::panic::catch_unwind(|| bodies::run(target, &input)).is_ok();
            assert!(sound, "{}", path.display());
        }
    }
}

#[test]
fn every_target_reads_the_inputs_of_every_other() {
    let all: Vec<_> = bodies::targets().flat_map(inputs).collect();
    for target in bodies::targets() {
        all.iter().for_each(|(_, input)| bodies::run(target, input));
    }
}
