// What a job costs, and what a sample of its events gives, as text for people and as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "cli/costs/job_cost.h"
#include "cli/costs/sample.h"

namespace tidemill::cli {

std::string cost_text(const costs::JobCost& cost);
nlohmann::ordered_json cost_json(const costs::JobCost& cost);

// `cost` is that of the same job.
std::string sample_text(const costs::SampleReport& sample, const costs::JobCost& cost,
                        const std::string& file);
nlohmann::ordered_json sample_json(const costs::SampleReport& sample, const costs::JobCost& cost);

// Rows of a key within what is kept, if events go on as in the sample: its rows, and where the
// sample is shorter than that as many more.
double expected_rows(const costs::SampleReport& sample, const costs::TableSample& table,
                     const costs::TableCost& cost);

}  // namespace tidemill::cli
