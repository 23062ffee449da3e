-- create
CREATE TABLE "sales"."Orders" (
"Id" INT NOT NULL,
"part" VARCHAR(1024) NOT NULL,
"i8" INT NULL,
"i16" INT NULL,
"i32" INT DEFAULT 7,
"f32" FLOAT NULL,
"f64" FLOAT NOT NULL,
"flag" BOOLEAN DEFAULT TRUE,
"name" VARCHAR(1024) DEFAULT 'O''Hara \',
"blob" VARBINARY(1024) DEFAULT HEX_TO_BINARY('0x00ff'),
"amount" DECIMAL(18,2) NULL,
"day" DATE DEFAULT '1970-01-01',
"time" TIME DEFAULT '00:00:01',
"at" TIMESTAMP DEFAULT '1970-01-01 00:00:01.500',
"listed" TIMESTAMP NULL,
PRIMARY KEY("Id","part"));

-- create without quoting
CREATE TABLE "Orders" (
"Id" INT NOT NULL,
"part" VARCHAR(1024) NOT NULL,
PRIMARY KEY("Id","part"));

-- add columns
ALTER TABLE "sales"."Orders" ADD "name" VARCHAR(1024) DEFAULT 'O''Hara \';
ALTER TABLE "sales"."Orders" ADD "blob" VARBINARY(1024) DEFAULT HEX_TO_BINARY('0x00ff');

-- insert
INSERT INTO "sales"."Orders" ("Id","part","amount") VALUES (?,?,?);

-- stage
CREATE LOCAL TEMPORARY TABLE "lavka_stage_1" ON COMMIT PRESERVE ROWS AS SELECT "Id","part","amount" FROM "sales"."Orders" WHERE 1 = 0;

-- upsert
MERGE INTO "sales"."Orders" AS target USING "lavka_stage_1" AS incoming ON (target."Id" = incoming."Id" AND target."part" = incoming."part") WHEN MATCHED THEN UPDATE SET "amount" = incoming."amount" WHEN NOT MATCHED THEN INSERT ("Id", "part", "amount") VALUES (incoming."Id", incoming."part", incoming."amount");

-- upsert of keys alone
MERGE INTO "sales"."Orders" AS target USING "lavka_stage_1" AS incoming ON (target."Id" = incoming."Id" AND target."part" = incoming."part") WHEN NOT MATCHED THEN INSERT ("Id", "part") VALUES (incoming."Id", incoming."part");

-- update
UPDATE "sales"."Orders" SET "amount" = ? WHERE "Id" = ? AND "part" = ?;

-- delete
DELETE FROM "sales"."Orders" WHERE "Id" = ? AND "part" = ?;

-- truncate
DELETE FROM "sales"."Orders";

-- savepoint
SAVEPOINT lavka_part;
RELEASE SAVEPOINT lavka_part;
ROLLBACK TO SAVEPOINT lavka_part;

-- time
SELECT CLOCK_TIMESTAMP() AT TIME ZONE 'UTC';

-- schema
SELECT CURRENT_SCHEMA();

-- zone
SET TIME ZONE TO 'UTC';

