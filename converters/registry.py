"""The one table of what can be converted: HF class name -> family."""

from collections.abc import Collection, Mapping

from converters.errors import BadCheckpoint, UnsupportedModel
from converters.families.base import Family
from converters.families.cohere import Cohere
from converters.families.cohere2 import Cohere2
from converters.families.cohere2_moe import Cohere2Moe
from converters.families.deepseek_v2 import DeepseekV2
from converters.families.deepseek_v3 import DeepseekV3
from converters.families.gemma import Gemma
from converters.families.gemma2 import Gemma2
from converters.families.gemma3 import Gemma3
from converters.families.gemma3n import Gemma3n
from converters.families.gemma4 import Gemma4
from converters.families.gemma4_unified import Gemma4Unified
from converters.families.glm4 import Glm4
from converters.families.glm4_moe import Glm4Moe
from converters.families.glm4_moe_lite import Glm4MoeLite
from converters.families.gpt_oss import GptOss
from converters.families.granite import Granite
from converters.families.granitemoe import GraniteMoe
from converters.families.granitemoehybrid import GraniteMoeHybrid
from converters.families.lfm2 import Lfm2
from converters.families.lfm2_moe import Lfm2Moe
from converters.families.llama import Llama
from converters.families.mistral3 import Mistral3
from converters.families.mistral4 import Mistral4
from converters.families.mixtral import Mixtral
from converters.families.nemotron_h_moe import NemotronHMoe
from converters.families.olmo2 import Olmo2
from converters.families.olmo3 import Olmo3
from converters.families.olmoe import Olmoe
from converters.families.phi3 import Phi3
from converters.families.qwen2 import Qwen2
from converters.families.qwen2_audio import Qwen2Audio
from converters.families.qwen2_moe import Qwen2Moe
from converters.families.qwen2_vl import Qwen2Vl
from converters.families.qwen3 import Qwen3
from converters.families.qwen3_5 import Qwen3_5
from converters.families.qwen3_5_moe import Qwen3_5Moe
from converters.families.qwen3_moe import Qwen3Moe
from converters.families.qwen3_next import Qwen3Next
from converters.families.qwen3_vl import Qwen3Vl
from converters.families.qwen3_vl_moe import Qwen3VlMoe
from converters.families.qwen_omni import Qwen2Omni, Qwen3Omni
from converters.families.smollm3 import SmolLM3
from converters.jsonfile import JsonObject

FAMILIES: Mapping[str, type[Family]] = {
    "AudioFlamingo3ForConditionalGeneration": Qwen2Audio,
    "Cohere2ForCausalLM": Cohere2,
    "Cohere2MoeForCausalLM": Cohere2Moe,
    "CohereForCausalLM": Cohere,
    "DeepseekV2ForCausalLM": DeepseekV2,
    "DeepseekV3ForCausalLM": DeepseekV3,
    "DotsOCRForCausalLM": Qwen2Audio,
    "Gemma2ForCausalLM": Gemma2,
    "Gemma3ForCausalLM": Gemma3,
    "Gemma3ForConditionalGeneration": Gemma3,
    "Gemma3nForCausalLM": Gemma3n,
    "Gemma3nForConditionalGeneration": Gemma3n,
    "Gemma4ForCausalLM": Gemma4,
    "Gemma4ForConditionalGeneration": Gemma4,
    "Gemma4UnifiedForConditionalGeneration": Gemma4Unified,
    "GemmaForCausalLM": Gemma,
    "Glm4ForCausalLM": Glm4,
    "Glm4MoeForCausalLM": Glm4Moe,
    "Glm4MoeLiteForCausalLM": Glm4MoeLite,
    "Glm4vForConditionalGeneration": Glm4,
    "Glm4vMoeForConditionalGeneration": Glm4Moe,
    "GptOssForCausalLM": GptOss,
    "GraniteForCausalLM": Granite,
    "GraniteMoeForCausalLM": GraniteMoe,
    "GraniteMoeHybridForCausalLM": GraniteMoeHybrid,
    "GraniteMoeSharedForCausalLM": GraniteMoe,
    "GraniteSpeechForConditionalGeneration": Granite,
    "KimiK25ForConditionalGeneration": DeepseekV3,
    "KimiVLForConditionalGeneration": DeepseekV3,
    "LFM2ForCausalLM": Lfm2,
    "Lfm2ForCausalLM": Lfm2,
    "Lfm2MoeForCausalLM": Lfm2Moe,
    "Lfm2VlForConditionalGeneration": Lfm2,
    "LLaMAForCausalLM": Llama,
    "LlamaForCausalLM": Llama,
    "LlavaForConditionalGeneration": Llama,
    "Ministral3ForCausalLM": Mistral3,
    "Mistral3ForConditionalGeneration": Mistral3,
    "Mistral4ForCausalLM": Mistral4,
    "MistralForCausalLM": Llama,
    "MixtralForCausalLM": Mixtral,
    "NemotronHForCausalLM": NemotronHMoe,
    "Olmo2ForCausalLM": Olmo2,
    "Olmo3ForCausalLM": Olmo3,
    "OlmoeForCausalLM": Olmoe,
    "Phi3ForCausalLM": Phi3,
    "Phi4ForCausalLMV": Phi3,
    "Qwen2_5_VLForConditionalGeneration": Qwen2Vl,
    "Qwen2_5OmniForConditionalGeneration": Qwen2Omni,
    "Qwen2_5OmniModel": Qwen2Omni,
    "Qwen2AudioForConditionalGeneration": Qwen2Audio,
    "Qwen2ForCausalLM": Qwen2,
    "Qwen2Model": Qwen2,
    "Qwen2MoeForCausalLM": Qwen2Moe,
    "Qwen2VLForConditionalGeneration": Qwen2Vl,
    "Qwen2VLModel": Qwen2Vl,
    "Qwen3_5ForCausalLM": Qwen3_5,
    "Qwen3_5ForConditionalGeneration": Qwen3_5,
    "Qwen3_5MoeForCausalLM": Qwen3_5Moe,
    "Qwen3_5MoeForConditionalGeneration": Qwen3_5Moe,
    "Qwen3ForCausalLM": Qwen3,
    "Qwen3Model": Qwen3,
    "Qwen3MoeForCausalLM": Qwen3Moe,
    "Qwen3NextForCausalLM": Qwen3Next,
    "Qwen3OmniMoeForConditionalGeneration": Qwen3Omni,
    "Qwen3VLForConditionalGeneration": Qwen3Vl,
    "Qwen3VLMoeForConditionalGeneration": Qwen3VlMoe,
    "SmolLM3ForCausalLM": SmolLM3,
    "VLlama3ForCausalLM": Llama,
    "VoxtralForConditionalGeneration": Llama,
}


def find_family(config: JsonObject) -> tuple[str, type[Family]]:
    """Give the HF class name of a config and its family; raises UnsupportedModel with the list of known ones."""
    names = config.get("architectures")
    if not isinstance(names, list) or not names or not isinstance(names[0], str):
        raise BadCheckpoint(
            "config.json names no architecture.", hint="Its key architectures should name the HF class."
        )
    family = FAMILIES.get(names[0])
    _refuse_quantized(config, family.PACKED_METHODS if family else frozenset())
    if family is None:
        known = ", ".join(sorted(FAMILIES))
        raise UnsupportedModel(f"The converter does not know {names[0]}.", hint=f"It knows: {known}.")
    return names[0], family.variant(config)


def _refuse_quantized(config: JsonObject, packed_methods: Collection[str]) -> None:
    settings = config.get("quantization_config") or config.get("quantization")
    if isinstance(settings, dict) and settings.get("quant_method") not in packed_methods:
        method = settings.get("quant_method") or "an unnamed method"
        raise UnsupportedModel(
            f"The checkpoint is already quantized ({method}), which the converter cannot read.",
            hint="Convert the original model, with BF16, F16 or F32 weights.",
        )
