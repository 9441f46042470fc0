use super::*;
use crate::json::tests::message;

fn row(time_ms: u64, rows_after: u32) -> Row {
    let mut row = message("x");
    row.key.clock.time_ms = time_ms;
    Row { rows_after, ..row }
}

fn burst(rows: impl IntoIterator<Item = Row>) -> Burst {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mut arrivals = Arrivals::default();
        rows.into_iter().for_each(|row| arrivals.push(row));
        let burst = arrivals.take().unwrap();
        assert_eq!(arrivals.take(), None);
        burst
    })
}

fn times(burst: &Burst) -> Vec<u64> {
    burst.rows.iter().map(|row| row.key.clock.time_ms).collect()
}

#[test]
fn a_few_rows_are_shown_whole_and_in_order() {
    let burst = burst([row(3, 0), row(1, 2), row(2, 0)]);
    assert_eq!((burst.count, burst.late, times(&burst)), (3, 1, vec![1, 2, 3]));
}

#[test]
fn of_many_rows_the_last_are_shown_and_all_are_counted() {
    let burst = burst((0..10_000).map(|n| row(n * 7_919 % 10_000, 1)));
    assert_eq!((burst.count, burst.late), (10_000, 10_000));
    assert_eq!(times(&burst), (10_000 - SHOWN_OF_MANY as u64..10_000).collect::<Vec<_>>());
}

#[test]
fn rows_that_go_on_coming_are_one_burst_for_a_second_at_most() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut arrivals = Arrivals::default();
        for n in 0..20 {
            arrivals.push(row(n, 0));
            let shown = tokio::time::timeout(BURST_TIME / 2, arrivals.due()).await;
            assert!(shown.is_err(), "shown after {n} rows");
        }
        arrivals.due().await;
        assert_eq!(arrivals.take().map(|burst| burst.count), Some(20));
        let flood = async {
            for n in 0.. {
                arrivals.push(row(n, 0));
                if tokio::time::timeout(BURST_TIME / 2, arrivals.due()).await.is_ok() {
                    return;
                }
            }
        };
        tokio::time::timeout(BURST_TIME * (WAITS_MAX + 3), flood).await.unwrap();
    });
}
