// The kernel table of one instruction set; included last by each kernels_*.cc.
#pragma once
#include "../kernels.h"
#include "attention.h"
#include "decode.h"
#include "elementwise.h"
#include "layers.h"
#include "linear.h"
#include "log_probs.h"
#include "norm.h"
#include "optimizer.h"
#include "packed_model.h"
#include "rotary.h"
#include "sample.h"

#define STAGECRAFT_STRING2(x) #x
#define STAGECRAFT_STRING(x) STAGECRAFT_STRING2(x)

namespace stagecraft {
namespace ISA {

extern const Kernels table;
const Kernels table = {
    STAGECRAFT_STRING(ISA), embedding_forward,    embedding_backward,
    linear_forward,         linear_backward,      norm_forward,
    norm_backward,          gated_forward,        gated_backward,
    activate_forward,       activate_backward,    rotary,
    attention_forward,      attention_backward,   decoder_layers,
    decoder_layers_grad,    token_log_probs,      token_log_probs_grad,
    sum_of_squares,         optimizer_step,       add_arrays,
    exp_array,              create_model,         create_decoder,
    sample,
};

}  // namespace ISA
}  // namespace stagecraft
