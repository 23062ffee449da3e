//! The task: hands out the positions of its vehicles, batch by batch.

use lavka_api::data::{
    Datum, OffsetMap, Record, Schema, SourcePosition, SourceRecord, Struct, Topic, Type, Value,
};
use lavka_api::plugin::{SourceTask, SourceTaskStart};
use lavka_api::{Result, async_trait};

use crate::{STEP, TripConfig, VEHICLE, step_of};

/// One vehicle under way.
struct Trip {
    vehicle: String,
    /// Built once and shared by all records of the vehicle.
    partition: OffsetMap,
    /// The step to hand out next, from 1.
    next: i64,
}

pub(crate) struct TripTask {
    trips: Vec<Trip>,
    /// The trip whose turn it is.
    turn: usize,
    steps: i64,
    batch_size: i64,
    topic: Topic,
    key_schema: Schema,
    value_schema: Schema,
}

impl TripTask {
    pub(crate) fn new(config: &TripConfig) -> Result<Self> {
        let trips = config.vehicles.iter().map(|vehicle| Trip {
            vehicle: vehicle.clone(),
            partition: OffsetMap::new([(VEHICLE, vehicle.as_str())]),
            next: 1,
        });
        // Made once: records share their schema, so whoever gets them compares a pointer.
        let value_schema = Schema::structure()
            .name("org.example.Position")
            .field("step", Schema::of(Type::Int64))
            .field("latitude", Schema::of(Type::Float64))
            .field("longitude", Schema::of(Type::Float64))
            .build()?;
        Ok(Self {
            trips: trips.collect(),
            turn: 0,
            steps: config.steps,
            batch_size: i64::from(config.batch_size),
            topic: Topic::from(config.topic.as_str()),
            key_schema: Schema::of(Type::String),
            value_schema,
        })
    }

    fn record(&self, trip: &Trip, step: i64) -> Result<SourceRecord> {
        let (latitude, longitude) = position(step);
        let values = [Value::Int64(step), Value::Float64(latitude), Value::Float64(longitude)];
        let mut record = Record::for_topic(self.topic.clone());
        record.key = Datum::new(self.key_schema.clone(), trip.vehicle.as_str());
        record.value = Datum::new(self.value_schema.clone(), Struct::new(self.value_schema.clone(), values)?);
        let offset = OffsetMap::new([(STEP, step)]);
        Ok(SourceRecord {
            record,
            position: Some(SourcePosition { partition: trip.partition.clone(), offset }),
            // For sources with a delivery listener; this one has none.
            token: 0,
        })
    }

    /// The next vehicle that has not arrived, in turns, so that none waits for another to arrive.
    fn next_trip(&mut self) -> Option<usize> {
        let count = self.trips.len();
        let found = (0..count)
            .map(|ahead| (self.turn + ahead) % count)
            .find(|at| self.trips.get(*at).is_some_and(|trip| trip.next <= self.steps))?;
        self.turn = found + 1;
        Some(found)
    }
}

#[async_trait]
impl SourceTask for TripTask {
    /// Goes on behind the last step that is known to be in Kafka.
    async fn start(&mut self, start: SourceTaskStart) -> Result<()> {
        let partitions: Vec<OffsetMap> = self.trips.iter().map(|trip| trip.partition.clone()).collect();
        let offsets = start.offsets.offsets(&partitions).await?;
        for (trip, offset) in self.trips.iter_mut().zip(offsets) {
            if let Some(offset) = offset {
                trip.next = step_of(&offset)?.saturating_add(1);
            }
        }
        Ok(())
    }

    /// There is no wait between taking records and returning them, so a `poll` that is dropped has taken nothing. A
    /// source that waits for its system does so first, and keeps what came half in `self`.
    async fn poll(&mut self) -> Result<Vec<SourceRecord>> {
        let Some(at) = self.next_trip() else {
            // All have arrived. Never to return is fine: the engine drops this future to pause or stop the task.
            return std::future::pending().await;
        };
        let Some(trip) = self.trips.get(at) else { return Ok(Vec::new()) };
        let end = self.steps.min(trip.next.saturating_add(self.batch_size - 1));
        let records: Vec<SourceRecord> =
            (trip.next..=end).map(|step| self.record(trip, step)).collect::<Result<_>>()?;
        if let Some(trip) = self.trips.get_mut(at) {
            trip.next = end + 1;
        }
        Ok(records)
    }

    async fn stop(&mut self) {}
}

/// Latitude and longitude in degrees: half a degree eastwards a step, up and down between 60° north and south.
fn position(step: i64) -> (f64, f64) {
    let latitude = match step.rem_euclid(480) {
        up @ 0..=240 => up - 120,
        down => 360 - down,
    };
    let longitude = step.rem_euclid(720) - 360;
    (half(latitude), half(longitude))
}

fn half(doubled: i64) -> f64 {
    i32::try_from(doubled).map_or(0.0, f64::from) / 2.0
}

#[cfg(test)]
mod tests {
    use super::position;

    #[test]
    fn a_journey_stays_on_the_globe() {
        let all: Vec<(f64, f64)> = (1..2000).map(position).collect();
        assert!(all.iter().all(|(latitude, longitude)| latitude.abs() <= 60.0 && longitude.abs() <= 180.0));
        assert_eq!(position(1), (-59.5, -179.5));
        assert_eq!(position(241), (59.5, -59.5));
        assert_eq!(position(480), (-60.0, 60.0));
    }
}
