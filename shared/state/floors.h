// What becomes of a copy's floors (shared/wire/table_floor.h) when it learns of a changed job, and
// when it takes over what another copy has. Pure.
#pragma once

#include "proto/control.pb.h"
#include "shared/state/state_head.h"
#include "shared/window/table_schema.h"

namespace tidemill {

// The copy of this head keeps rows as the tables say from now on: what they say beyond what it has
// kept so far counts as there from its horizon on, and tables that it has not heard of from behind
// all that it has applied. Without a table that an update has changed floors stay empty.
void keep_as_of(const std::vector<TableSchema>& tables, StateHead* head);

// All that was applied up to the head's V came without rows of the tables from `known` on.
void raise_floors_of_unknown(const std::vector<TableSchema>& tables, size_t known, StateHead* head);

// The head's copy has gone on with the rows of one that had these floors.
void take_floors_of_rows(const std::vector<TableSchema>& tables, const TableFloors& floors,
                         StateHead* head);

// It has taken over that copy's rows, which had that horizon.
void take_floors_of_images(const std::vector<TableSchema>& tables, const TableFloors& floors,
                           TimeUs horizon, StateHead* head);

// Raises the report's floors to these.
void add_floors(const TableFloors& floors, proto::JobReport* report);

}  // namespace tidemill
