//! The checkers: histories from the literature, random histories beside a brute force, reports.

mod calls;
mod deliveries;
mod literature;
mod queue;
mod random;
mod reports;
mod scale;
