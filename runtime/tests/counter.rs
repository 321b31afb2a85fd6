//! The counter in the simulator, and its arithmetic against numbers that have room.

use anchorhold::objects::Counter;
use anchorhold::objects::counter::{Bounds, CounterError};
use anchorhold::prelude::*;
use proptest::prelude::*;

#[path = "counter/in_a_product.rs"]
mod in_a_product;

fn refused<T: std::fmt::Debug>(result: Result<T, CallError<CounterError>>) -> CounterError {
    match result {
        Err(CallError::Application(error)) => error,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[anchorhold::test]
async fn what_is_counted_survives_and_what_is_refused_changes_nothing(sim: Sim) {
    let counter = sim.objects::<Counter>().named("a");
    assert_eq!(counter.value().await.unwrap(), 0);
    assert_eq!(counter.increment(i64::MAX).await.unwrap(), i64::MAX);
    let error = refused(counter.increment(1).await);
    assert_eq!(
        error.to_string(),
        format!("`by`: {} + 1 does not fit in 64 bits", i64::MAX)
    );
    assert_eq!((error.status(), &*error.code()), (400, "overflow"));
    sim.evict(&counter).await;
    assert_eq!(counter.value().await.unwrap(), i64::MAX);
    assert_eq!(counter.increment(-7).await.unwrap(), i64::MAX - 7);
    sim.crash().await;
    assert_eq!(counter.reset().await.unwrap(), i64::MAX - 7);
    assert_eq!(counter.value().await.unwrap(), 0);
}

#[anchorhold::test]
async fn bounds_are_kept_and_outlive_a_reset(sim: Sim) {
    let counter = sim.objects::<Counter>().named("seats");
    assert_eq!(counter.bounds().await.unwrap(), Bounds::default());
    counter.set_bounds(Some(0), Some(10)).await.unwrap();
    assert_eq!(counter.increment(10).await.unwrap(), 10);
    for (by, reason) in [
        (1, "`by`: 10 + 1 is 11, above the upper bound of 10"),
        (-11, "`by`: 10 + -11 is -1, below the lower bound of 0"),
    ] {
        let error = refused(counter.increment(by).await);
        assert_eq!(error.to_string(), reason);
        assert_eq!((error.status(), &*error.code()), (400, "out_of_bounds"));
    }
    let error = refused(counter.set_bounds(None, Some(9)).await);
    assert_eq!(
        error.to_string(),
        "the counter is at 10, above the upper bound of 9: reset it first, or choose wider bounds"
    );
    assert_eq!(error.status(), 409);
    for (lower, upper, reason) in [
        (Some(1), None, "`lower`: 1 is above 0"),
        (None, Some(-1), "`upper`: -1 is below 0"),
        (Some(5), Some(-5), "`lower`: 5 is above 0"),
    ] {
        let error = refused(counter.set_bounds(lower, upper).await);
        assert!(error.to_string().starts_with(reason), "{error}");
        assert_eq!((error.status(), &*error.code()), (400, "bad_request"));
    }
    sim.evict(&counter).await;
    assert_eq!(counter.value().await.unwrap(), 10);
    assert_eq!(
        counter.bounds().await.unwrap(),
        Bounds::new(Some(0), Some(10)).unwrap()
    );
    assert_eq!(counter.reset().await.unwrap(), 10);
    assert_eq!(refused(counter.increment(11).await).status(), 400);
    counter.set_bounds(None, None).await.unwrap();
    assert_eq!(counter.increment(-11).await.unwrap(), -11);
}

fn bound() -> impl Strategy<Value = Option<i64>> {
    prop::option::of(prop_oneof![-20_i64..20, any::<i64>()])
}

proptest! {
    #[test]
    fn a_counter_is_a_number_that_stays_within_its_bounds(
        lower in bound(),
        upper in bound(),
        steps in prop::collection::vec(prop_oneof![-20_i64..20, any::<i64>()], 0..40),
    ) {
        let allowed = i128::from(lower.unwrap_or(i64::MIN))..=i128::from(upper.unwrap_or(i64::MAX));
        let bounds = Bounds::new(lower, upper);
        prop_assert_eq!(bounds.is_ok(), allowed.contains(&0));
        if let Ok(bounds) = bounds {
            let mut value = 0;
            for by in steps {
                let sum = i128::from(value) + i128::from(by);
                let added = bounds.add(value, by);
                prop_assert_eq!(added.clone().ok().map(i128::from), allowed.contains(&sum).then_some(sum));
                value = added.unwrap_or(value);
                prop_assert_eq!(bounds.check(value), Ok(()));
            }
        }
    }
}

/// The answer of an increment is lost, and its caller tries again.
#[anchorhold::test]
async fn a_retried_request_counts_once(sim: Sim) {
    let counter = sim.objects::<Counter>().named("c");
    assert_eq!(counter.increment_once(5, "a").await.unwrap(), 5);
    assert_eq!(counter.increment(1).await.unwrap(), 6);
    sim.crash().await;
    assert_eq!(counter.increment_once(5, "a").await.unwrap(), 5);
    assert_eq!(counter.value().await.unwrap(), 6);
    let CallError::Application(conflict) = counter.increment_once(6, "a").await.unwrap_err() else {
        panic!("the counter itself refuses");
    };
    assert_eq!(
        (conflict.status(), &*conflict.code()),
        (409, "request_conflict")
    );
    for wrong in ["", &"x".repeat(129)] {
        counter.increment_once(1, wrong).await.unwrap_err();
    }
    sim.advance(std::time::Duration::from_secs(3_599)).await;
    assert_eq!(counter.increment_once(5, "a").await.unwrap(), 5);
    sim.advance(std::time::Duration::from_secs(1)).await;
    assert_eq!(counter.increment_once(5, "a").await.unwrap(), 11);

    sim.app(App::new().mount::<Counter>("/counters/{name}"));
    let ask = async || {
        let request = Request::new("POST", "/counters/c/increment")
            .with_body(r#"{"by": 2, "request_id": "b"}"#);
        let value: i64 = sim.fetch(request).await.read_json().unwrap();
        value
    };
    assert_eq!((ask().await, ask().await), (13, 13));
}
