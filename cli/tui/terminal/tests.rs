use std::sync::atomic::AtomicUsize;

use super::*;

static RESTORED: AtomicUsize = AtomicUsize::new(0);
static TOLD: AtomicUsize = AtomicUsize::new(0);

/// How often the terminal was given back, and a panic told on it, by now.
fn counts() -> (usize, usize) {
    (RESTORED.load(Ordering::Relaxed), TOLD.load(Ordering::Relaxed))
}

#[test]
fn a_panic_that_is_caught_elsewhere_leaves_the_screen_alone_and_ours_gives_it_back() {
    const OURS: &str = "a panic that is meant";
    let usual = panic::take_hook();
    let before: Hook = Box::new(|info| {
        // Other tests may fail meanwhile.
        if info.payload_as_str() == Some(OURS) {
            TOLD.fetch_add(1, Ordering::Relaxed);
        }
    });
    let restore = || {
        RESTORED.fetch_add(1, Ordering::Relaxed);
    };
    panic::set_hook(hook(before, restore));
    IS_UP.store(true, Ordering::Relaxed);
    let elsewhere = || thread::spawn(|| panic::panic_any(OURS)).join().unwrap_err();
    elsewhere();
    let while_up = counts();
    IS_UP.store(false, Ordering::Relaxed);
    elsewhere();
    let while_down = counts();
    panic::catch_unwind(|| panic::panic_any(OURS)).unwrap_err();
    let of_ours = counts();
    panic::set_hook(usual);
    assert_eq!([while_up, while_down, of_ours], [(0, 0), (0, 1), (1, 2)]);
}
