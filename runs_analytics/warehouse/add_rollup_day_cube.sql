-- Adds the changes to the rollup by account-local day and all ten dimensions.
INSERT INTO rollup_day_cube BY NAME
SELECT * FROM changed_cube
